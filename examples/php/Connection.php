<?php
// A handler's two sockets as one thing that gives requests and takes replies; it needs PHP 8.1 and the extension zmq.
//
// A PUB socket throws away what nobody has subscribed to, and the server's subscription arrives some time after it is
// connected.  An XPUB socket is the same to the server but hears of subscriptions, so that a reply can wait for one.

declare(strict_types=1);

namespace Mongrel2;

use Generator;
use InvalidArgumentException;
use UnexpectedValueException;
use ZMQ;
use ZMQContext;
use ZMQPoll;
use ZMQPollException;
use ZMQSocket;

require_once __DIR__ . '/Request.php';
require_once __DIR__ . '/Response.php';

final class Connection
{
    /** Connections in a message: the default of the server's limits.handler_targets. */
    private const MAX_IDS = 128;

    /** Milliseconds that a reply waits for a subscription. */
    private const PATIENCE = 2000;

    /** Replies that wait for a server that takes them slowly. */
    private const QUEUE = 10_000;

    /** Milliseconds that the end waits for replies on their way. */
    private const LINGER = 1000;

    private readonly ZMQSocket $requests;
    private readonly ZMQSocket $replies;

    /** @var array<string, true> the prefixes of replies that servers have subscribed to */
    private array $topics = [];

    /** A reply has waited for a server in vain, and the next ones need not. */
    private bool $isDeserted = false;

    /**
     * @param string $requestsFrom the server's send_spec
     * @param string $repliesTo its recv_spec
     * @param bool $allRequests whether every request of a send_type "pub" comes
     */
    public function __construct(string $requestsFrom, string $repliesTo, bool $allRequests = false)
    {
        $context = new ZMQContext();
        $this->replies = new ZMQSocket($context, ZMQ::SOCKET_XPUB);
        $this->replies->setSockOpt(ZMQ::SOCKOPT_LINGER, self::LINGER);
        $this->replies->setSockOpt(ZMQ::SOCKOPT_SNDHWM, self::QUEUE);
        $this->replies->connect($repliesTo);
        $this->requests = new ZMQSocket($context, $allRequests ? ZMQ::SOCKET_SUB : ZMQ::SOCKET_PULL);
        if ($allRequests) {
            $this->requests->setSockOpt(ZMQ::SOCKOPT_RCVHWM, 0);
            $this->requests->setSockOpt(ZMQ::SOCKOPT_SUBSCRIBE, '');
        }
        $this->requests->connect($requestsFrom);
    }

    /**
     * Requests and notices, for ever.
     *
     * @return Generator<Request>
     */
    public function requests(): Generator
    {
        while (true) {
            if ($request = $this->receive()) {
                yield $request;
            }
        }
    }

    /** The next message; null if there is none within so many milliseconds.  What is none is told on stderr. */
    public function receive(int $timeout = -1): ?Request
    {
        $deadline = $timeout < 0 ? INF : self::now() + $timeout;
        while (self::isReadable($this->requests, $deadline)) {
            try {
                return Request::parse($this->requests->recv());
            } catch (UnexpectedValueException $error) {
                self::warn("skipped a message: {$error->getMessage()}");
            }
        }
        return null;
    }

    /** Sends bytes to the client that has asked.  None close its connection. */
    public function reply(Request $request, string $data): void
    {
        $this->deliver($request->server, [$request->id], $data);
    }

    /** @param array<string, string|int> $headers */
    public function replyHttp(Request $request, string $body, int $status = 200, array $headers = []): void
    {
        $this->reply($request, Response::http($body, $status, $headers, $request->method() === 'HEAD'));
    }

    public function replyJson(Request $request, mixed $value): void
    {
        $this->reply($request, self::json($value));
    }

    /** Answers a WEBSOCKET_HANDSHAKE: from here on the client sends messages, and takes frames. */
    public function acceptWebSocket(Request $request, ?string $protocol = null): void
    {
        if ($request->method() !== 'WEBSOCKET_HANDSHAKE') {
            throw new InvalidArgumentException('the request asks for no WebSocket');
        }
        $headers = ['Upgrade' => 'websocket', 'Connection' => 'Upgrade', 'Sec-WebSocket-Accept' => $request->body];
        if ($protocol !== null) {
            $headers['Sec-WebSocket-Protocol'] = $protocol;
        }
        $this->reply($request, Response::head(101, $headers));
    }

    public function replyWebSocket(Request $request, string $data, ?int $opcode = null): void
    {
        $this->reply($request, Response::frame($data, $opcode));
    }

    public function close(Request $request): void
    {
        $this->reply($request, '');
    }

    /**
     * Sends the same bytes to any number of a server's connections.
     *
     * @param iterable<string|int> $ids
     */
    public function deliver(string $server, iterable $ids, string $data): void
    {
        $ids = is_array($ids) ? array_values($ids) : iterator_to_array($ids, false);
        foreach ($ids as $id) {
            if (!preg_match('/^[0-9]+\z/', (string) $id)) {
                throw new InvalidArgumentException('an id of a connection is a number');
            }
        }
        foreach (array_chunk($ids, self::MAX_IDS) as $some) {
            $this->send($server, implode(' ', $some), $data);
        }
    }

    /** @param iterable<string|int> $ids @param array<string, string|int> $headers */
    public function deliverHttp(
        string $server,
        iterable $ids,
        string $body,
        int $status = 200,
        array $headers = [],
    ): void {
        $this->deliver($server, $ids, Response::http($body, $status, $headers));
    }

    /** @param iterable<string|int> $ids */
    public function deliverJson(string $server, iterable $ids, mixed $value): void
    {
        $this->deliver($server, $ids, self::json($value));
    }

    /** @param iterable<string|int> $ids */
    public function deliverWebSocket(string $server, iterable $ids, string $data, ?int $opcode = null): void
    {
        $this->deliver($server, $ids, Response::frame($data, $opcode));
    }

    /** @param iterable<string|int> $ids */
    public function deliverClose(string $server, iterable $ids): void
    {
        $this->deliver($server, $ids, '');
    }

    /** Has the server take the connection for alive, however quiet it is. */
    public function keepAlive(Request $request): void
    {
        $this->tell($request, '3:ctl,21:10:keep-alive,4:true!}');
    }

    /** Lets so many more bytes of a streamed upload come. */
    public function credits(Request $request, int $count): void
    {
        $data = '7:credits,' . strlen((string) $count) . ":$count#";
        $this->tell($request, '3:ctl,' . strlen($data) . ":$data}");
    }

    /** Drops the connection at once; no notice comes of it. */
    public function cancel(Request $request): void
    {
        $this->tell($request, '3:ctl,16:6:cancel,4:true!}');
    }

    /** Has the server send a file below its sendfile_root, behind a head that was a reply before. */
    public function sendFile(Request $request, string $path): void
    {
        $this->tell($request, '8:sendfile,' . strlen($path) . ":$path,");
    }

    private function tell(Request $request, string $elements): void
    {
        $this->send($request->server, "X $request->id", strlen($elements) . ":$elements]");
    }

    private function send(string $server, string $ids, string $data): void
    {
        $message = "$server " . strlen($ids) . ":$ids, $data";
        if ($this->hasSubscriber($message)) {
            $this->replies->send($message);
        } else {
            self::warn("dropped a reply: no server has subscribed to those for $server");
        }
    }

    private function hasSubscriber(string $message): bool
    {
        $deadline = self::now() + ($this->isDeserted ? 0 : self::PATIENCE);
        $this->hear();
        while (!array_filter(array_keys($this->topics), fn ($topic) => str_starts_with($message, (string) $topic))) {
            $this->isDeserted = !self::isReadable($this->replies, $deadline);
            if ($this->isDeserted) {
                return false;
            }
            $this->hear();
        }
        $this->isDeserted = false;
        return true;
    }

    /** Takes what has come of subscriptions: a byte 1 or 0, then the prefix. */
    private function hear(): void
    {
        while (($notice = $this->replies->recv(ZMQ::MODE_DONTWAIT)) !== false) {
            if (str_starts_with($notice, "\x01")) {
                $this->topics[substr($notice, 1)] = true;
            } elseif (str_starts_with($notice, "\x00")) {
                unset($this->topics[substr($notice, 1)]);
            }
        }
    }

    private static function isReadable(ZMQSocket $socket, float $deadline): bool
    {
        $poll = new ZMQPoll();
        $poll->add($socket, ZMQ::POLL_IN);
        $readable = $writable = [];
        while (true) {
            try {
                $left = $deadline === INF ? -1 : (int) ceil(max(0, $deadline - self::now()));
                return $poll->poll($readable, $writable, $left) > 0;
            } catch (ZMQPollException $error) {
                if ($error->getCode() !== 4) { // a signal
                    throw $error;
                }
            }
        }
    }

    private static function json(mixed $value): string
    {
        return json_encode($value, JSON_THROW_ON_ERROR | JSON_INVALID_UTF8_SUBSTITUTE | JSON_UNESCAPED_SLASHES);
    }

    private static function now(): float
    {
        return hrtime(true) / 1e6;
    }

    private static function warn(string $text): void
    {
        fwrite(STDERR, "$text\n");
    }
}
