<?php
// A poll, whose result everybody sees at once: php poll.php [REQUESTS_FROM REPLIES_TO] (send_spec and recv_spec).

declare(strict_types=1);

use Mongrel2\Connection;
use Mongrel2\Request;
use Mongrel2\Response;

require __DIR__ . '/Connection.php';

final class Poll
{
    /** @var array<string, int> */
    private array $votes = ['yes' => 0, 'no' => 0];

    /** @var array<string, array<string, string>> a server's UUID: the ids of connections that see each vote */
    private array $watchers = [];

    public function __construct(private readonly Connection $connection)
    {
    }

    public function run(): void
    {
        foreach ($this->connection->requests() as $request) {
            match (true) {
                $request->isDisconnect() => $this->forget($request),
                $request->isNotice('credits') => null, // the server, with download.flow_control, has written something
                $request->method() === 'GET' && str_ends_with($request->path, '/live') => $this->watch($request),
                in_array($request->method(), ['GET', 'HEAD'], true) => $this->answer($request, 200, $this->votes),
                $request->method() === 'POST' => $this->vote($request),
                default => $this->refuse($request),
            };
        }
    }

    /** Server-sent events: an answer that goes on for as long as somebody watches. */
    private function watch(Request $request): void
    {
        $head = Response::head(200, ['Content-Type' => 'text/event-stream', 'Cache-Control' => 'no-store']);
        $this->connection->reply($request, $head . $this->event());
        $this->watchers[$request->server][$request->id] = $request->id;
    }

    private function forget(Request $request): void
    {
        unset($this->watchers[$request->server][$request->id]);
    }

    private function vote(Request $request): void
    {
        $choice = json_decode($request->body, true)['vote'] ?? null;
        if (!is_string($choice) || !isset($this->votes[$choice])) {
            $this->answer($request, 400, ['error' => 'a vote is {"vote": "yes"} or {"vote": "no"}']);
            return;
        }
        $this->votes[$choice]++;
        $this->answer($request, 200, $this->votes);
        foreach ($this->watchers as $server => $ids) {
            $this->connection->deliver((string) $server, $ids, $this->event());
        }
    }

    private function refuse(Request $request): void
    {
        $this->answer($request, 405, ['error' => 'there are GET, HEAD and POST'], ['Allow' => 'GET, HEAD, POST']);
    }

    private function answer(Request $request, int $status, array $value, array $headers = []): void
    {
        $headers = ['Content-Type' => 'application/json'] + $headers;
        $this->connection->replyHttp($request, json_encode($value) . "\n", $status, $headers);
    }

    private function event(): string
    {
        return 'data: ' . json_encode($this->votes) . "\n\n";
    }
}

[$requestsFrom, $repliesTo] = array_slice($argv, 1) + ['tcp://127.0.0.1:9971', 'tcp://127.0.0.1:9970'];
(new Poll(new Connection($requestsFrom, $repliesTo)))->run();
