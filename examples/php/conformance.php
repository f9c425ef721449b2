<?php
// The library as `m2sh conformance handler` tries it: for each path of a request one thing is done.
//
//     m2sh conformance handler -- php conformance.php
//
// The two addresses come last.  The manual has what each path is to do: `m2sh conformance`, libraries for handlers.

declare(strict_types=1);

use Mongrel2\Connection;
use Mongrel2\Request;
use Mongrel2\Response;

require __DIR__ . '/Connection.php';

final class Conformance
{
    public function __construct(private readonly Connection $connection)
    {
    }

    public function run(): void
    {
        foreach ($this->connection->requests() as $request) {
            try {
                $this->answer($request);
            } catch (InvalidArgumentException | JsonException | TypeError $error) {
                $this->connection->reply($request, "refused: {$error->getMessage()}");
            }
        }
    }

    private function answer(Request $request): void
    {
        $connection = $this->connection;
        match ($request->path) {
            '@*' => $this->notice($request),
            '@json' => $connection->replyJson($request, $request->data),
            '/reply' => $connection->reply($request, $request->body),
            '/close' => $connection->close($request),
            '/request' => $connection->replyJson($request, self::understood($request)),
            '/http' => $this->http($request, ...self::wanted($request)),
            '/http/body' => $connection->replyHttp($request, $request->body),
            '/accept' => $connection->acceptWebSocket($request),
            '/accept/chat' => $connection->acceptWebSocket($request, 'chat'),
            '/text' => $connection->replyWebSocket($request, $request->body, Response::TEXT),
            '/binary' => $connection->replyWebSocket($request, $request->body, Response::BINARY),
            '/ping' => $connection->replyWebSocket($request, $request->body, Response::PING),
            '/pong' => $connection->replyWebSocket($request, $request->body, Response::PONG),
            '/end' => $connection->replyWebSocket($request, pack('n', 1000) . 'bye', Response::CLOSE),
            '/deliver' => $connection->deliver($request->server, ...self::wanted($request, 'data')),
            '/deliver/http' => $connection->deliverHttp($request->server, ...self::wanted($request)),
            '/deliver/json' => $connection->deliverJson($request->server, ...self::wanted($request)),
            '/deliver/websocket' => $connection->deliverWebSocket($request->server, ...self::wanted($request, 'data')),
            '/deliver/close' => $connection->deliverClose($request->server, ...self::wanted($request)),
            '/keep-alive' => $connection->keepAlive($request),
            '/credits' => $connection->credits($request, (int) $request->body),
            '/cancel' => $connection->cancel($request),
            '/sendfile' => $connection->sendFile($request, $request->body),
            '/upload' => $this->upload($request),
            default => $connection->reply($request, 'unsupported'),
        };
    }

    private function http(Request $request, string $body, int $status, array $headers): void
    {
        $this->connection->replyHttp($request, $body, $status, $headers);
    }

    /** What is to be sent, by the names of parameters; that of the body may be another one. */
    private static function wanted(Request $request, string $body = 'body'): array
    {
        $named = [];
        foreach (json_decode($request->body, true, 512, JSON_THROW_ON_ERROR) as $name => $value) {
            $named[$name === 'body' ? $body : $name] = $value;
        }
        return $named;
    }

    private static function understood(Request $request): array
    {
        return [
            'server' => $request->server,
            'id' => $request->id,
            'path' => $request->path,
            'method' => $request->method(),
            'headers' => (object) $request->headers,
            'bytes' => strlen($request->body),
        ];
    }

    /** What the server says of a connection is told the next one. */
    private function notice(Request $request): void
    {
        $others = [(int) $request->id + 1];
        if ($request->isDisconnect()) {
            $this->connection->deliverJson($request->server, $others, ['type' => 'disconnect']);
        } elseif ($request->isNotice('credits')) {
            $bytes = (int) $request->header('DOWNLOAD_CREDITS');
            $this->connection->deliverJson($request->server, $others, ['type' => 'credits', 'bytes' => $bytes]);
        }
    }

    private function upload(Request $request): void
    {
        $start = $request->header('x-mongrel2-upload-start');
        $done = $request->header('x-mongrel2-upload-done');
        if ($done !== null && $done !== $start) {
            throw new InvalidArgumentException('no client can name a file');
        }
        if ($done !== null) {
            $this->connection->reply($request, $done);
        } elseif ($start === null) {
            $this->piece($request);
        }
    }

    private function piece(Request $request): void
    {
        $size = strlen($request->body);
        if ($request->header('UPLOAD_STREAM_DONE') !== null) {
            $this->connection->reply($request, (string) ((int) $request->header('UPLOAD_STREAM') + $size));
        } else {
            $this->connection->credits($request, $size);
        }
    }
}

[, $requestsFrom, $repliesTo] = $argv;
(new Conformance(new Connection($requestsFrom, $repliesTo)))->run();
