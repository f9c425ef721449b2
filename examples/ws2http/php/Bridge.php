<?php
// What a room sends: forms for ws2http, with the token that both know.

final class Bridge
{
    public function __construct(private string $url, private string $token)
    {
    }

    /** To one socket. */
    public function tell(string $id, string $text): void
    {
        $this->post(['id' => $id, 'data' => $text]);
    }

    /** To all sockets with that URI. */
    public function tellAll(string $uri, string $data, string $type = 'text'): void
    {
        $this->post(['uri' => $uri, 'type' => $type, 'data' => $data]);
    }

    /** The ids of all sockets with that URI. */
    public function at(string $uri): array
    {
        return array_filter(explode("\n", $this->ask($this->url . '?' . http_build_query(['uri' => $uri]), [])));
    }

    private function post(array $fields): void
    {
        $form = ['method' => 'POST', 'content' => http_build_query($fields)];
        $this->ask($this->url, $form, ['Content-Type: application/x-www-form-urlencoded']);
    }

    private function ask(string $url, array $options, array $headers = []): string
    {
        $options['header'] = ["Authorization: Bearer $this->token", ...$headers];
        $context = stream_context_create(['http' => $options + ['timeout' => 5, 'ignore_errors' => true]]);
        $answer = file_get_contents($url, false, $context);
        // With 404 a socket is gone whose close has not come here yet; that is no error.
        if ($answer === false || !preg_match('~^\S+ (200|404) ~', $http_response_header[0])) {
            throw new RuntimeException("cannot ask the bridge at $this->url");
        }
        return $answer;
    }
}
