<?php
// What goes to clients, as bytes: HTTP answers (RFC 9112) and WebSocket frames (RFC 6455).

declare(strict_types=1);

namespace Mongrel2;

use InvalidArgumentException;

final class Response
{
    public const TEXT = 1;
    public const BINARY = 2;
    public const CLOSE = 8;
    public const PING = 9;
    public const PONG = 10;

    /** Bytes in a close, ping or pong (RFC 6455, section 5.5). */
    private const LONGEST_CONTROL = 125;

    private const PHRASES = [
        100 => 'Continue', 101 => 'Switching Protocols',
        200 => 'OK', 201 => 'Created', 202 => 'Accepted', 204 => 'No Content', 206 => 'Partial Content',
        301 => 'Moved Permanently', 302 => 'Found', 303 => 'See Other', 304 => 'Not Modified',
        307 => 'Temporary Redirect', 308 => 'Permanent Redirect',
        400 => 'Bad Request', 401 => 'Unauthorized', 403 => 'Forbidden', 404 => 'Not Found',
        405 => 'Method Not Allowed', 409 => 'Conflict', 410 => 'Gone', 413 => 'Content Too Large',
        415 => 'Unsupported Media Type', 422 => 'Unprocessable Content', 426 => 'Upgrade Required',
        429 => 'Too Many Requests',
        500 => 'Internal Server Error', 501 => 'Not Implemented', 502 => 'Bad Gateway',
        503 => 'Service Unavailable', 504 => 'Gateway Timeout',
    ];

    /**
     * A whole answer.  Its Content-Length is added, and one to HEAD, or that can't have a body, gets none.
     *
     * @param array<string, string|int> $headers
     * @throws InvalidArgumentException where a header would become something else on its way, or contradict the length
     */
    public static function http(string $body, int $status = 200, array $headers = [], bool $isHead = false): string
    {
        $isBodiless = $status < 200 || $status === 204 || $status === 304;
        $headers = array_filter($headers, fn ($name) => strtolower("$name") !== 'content-length', ARRAY_FILTER_USE_KEY);
        if (isset(array_change_key_case($headers)['transfer-encoding'])) {
            throw new InvalidArgumentException('a whole answer has no Transfer-Encoding');
        }
        if (!$isBodiless) {
            $headers['Content-Length'] = strlen($body);
        }
        return self::head($status, $headers) . ($isHead || $isBodiless ? '' : $body);
    }

    /**
     * Status line and headers, with the empty line behind them.
     *
     * @param array<string, string|int> $headers
     * @throws InvalidArgumentException where a header would become something else on its way
     */
    public static function head(int $status, array $headers = []): string
    {
        if ($status < 100 || $status > 999) {
            throw new InvalidArgumentException("$status is no HTTP status");
        }
        $head = "HTTP/1.1 $status " . (self::PHRASES[$status] ?? '') . "\r\n";
        foreach ($headers as $name => $value) {
            if (!preg_match('/^[\w!#$%&\'*+.^`|~-]+\z/', (string) $name)) {
                throw new InvalidArgumentException('a name of a header has characters that end it');
            }
            if (preg_match('/[\x00-\x08\x0a-\x1f\x7f]/', (string) $value)) {
                throw new InvalidArgumentException("the value of $name has control characters");
            }
            $head .= "$name: $value\r\n";
        }
        return "$head\r\n";
    }

    /**
     * A WebSocket's frame with a whole message: a text, if it is UTF-8 and the opcode doesn't say otherwise.
     *
     * @throws InvalidArgumentException for a close, ping or pong that is too long
     */
    public static function frame(string $body, ?int $opcode = null): string
    {
        $opcode ??= preg_match('//u', $body) ? self::TEXT : self::BINARY;
        $size = strlen($body);
        if ($opcode & 8 && $size > self::LONGEST_CONTROL) {
            throw new InvalidArgumentException('a control frame has at most ' . self::LONGEST_CONTROL . ' bytes');
        }
        return chr(0x80 | $opcode & 15) . match (true) {
            $size < 126 => chr($size),
            $size < 65536 => chr(126) . pack('n', $size),
            default => chr(127) . pack('J', $size),
        } . $body;
    }
}
