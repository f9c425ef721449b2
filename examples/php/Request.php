<?php
// What the server sends a handler: a request, a message of a socket, a piece of an upload, or a notice.

declare(strict_types=1);

namespace Mongrel2;

use JsonException;
use UnexpectedValueException;

final class Request
{
    /** The path of what the server itself has to say; no client can send it. */
    public const NOTICE = '@*';

    /** How deep tnetstrings may nest. */
    private const DEPTH = 32;

    /**
     * @param string $server the UUID that replies begin with
     * @param array<string, string|list<string>> $headers the client's in lower case, the server's in upper case
     * @param mixed $data the JSON of a JSON socket's message, or of a notice; its objects are stdClass, or all are arrays if one
     *                    has a name that begins with the character 0, which no object can have
     */
    private function __construct(
        public readonly string $server,
        public readonly string $id,
        public readonly string $path,
        public readonly array $headers,
        public readonly string $body,
        public readonly mixed $data,
    ) {
    }

    /** @throws UnexpectedValueException for what is no message */
    public static function parse(string $message): self
    {
        if (!preg_match('/^([^ ]+) ([0-9]{1,20}) ([^ ]*) /', $message, $head)) {
            throw new UnexpectedValueException('it does not begin with a UUID, an id and a path');
        }
        [$inner, $kind, $end] = self::frame($message, strlen($head[0]));
        $headers = $kind === ',' ? self::object($inner) : self::dictionary($inner, $kind);
        [$body, $kind, $end] = self::frame($message, $end);
        if ($kind !== ',' || $end !== strlen($message)) {
            throw new UnexpectedValueException('the body does not end where its size says');
        }
        self::check($headers);
        $data = ($headers['METHOD'] ?? null) === 'JSON' ? self::json($body) : null;
        return new self(self::text($head[1]), $head[2], self::text($head[3]), $headers, $body, $data);
    }

    public function method(): string
    {
        return $this->header('METHOD') ?? '';
    }

    /** A header's value; several are joined. */
    public function header(string $name): ?string
    {
        $value = $this->headers[$name] ?? null;
        return is_array($value) ? implode($name === 'cookie' ? '; ' : ', ', $value) : $value;
    }

    public function isNotice(string $type): bool
    {
        return $this->path === self::NOTICE && is_object($this->data) && ($this->data->type ?? null) === $type;
    }

    public function isDisconnect(): bool
    {
        return $this->isNotice('disconnect');
    }

    /** What a netstring or tnetstring holds, its closing byte, and where it ends. */
    private static function frame(string $bytes, int $start): array
    {
        if (!preg_match('/\G([0-9]{1,9}):/', $bytes, $size, 0, $start)) {
            throw new UnexpectedValueException('a netstring does not begin with its size');
        }
        $begin = $start + strlen($size[0]);
        $end = $begin + (int) $size[1];
        if ($end >= strlen($bytes)) {
            throw new UnexpectedValueException('a netstring is shorter than its size says');
        }
        return [substr($bytes, $begin, $end - $begin), $bytes[$end], $end + 1];
    }

    private static function json(string $text): mixed
    {
        try {
            return self::decoded($text, false) ?? self::decoded($text, true);
        } catch (JsonException $error) {
            throw new UnexpectedValueException("JSON: {$error->getMessage()}");
        }
    }

    /** Null, too, if no object can have one of the names. */
    private static function decoded(string $text, bool $inArrays): mixed
    {
        try {
            return json_decode($text, $inArrays, 512, JSON_THROW_ON_ERROR | JSON_INVALID_UTF8_SUBSTITUTE);
        } catch (JsonException $error) {
            return $error->getCode() === JSON_ERROR_INVALID_PROPERTY_NAME ? null : throw $error;
        }
    }

    private static function object(string $text): array
    {
        $value = self::json($text);
        if (!is_object($value)) {
            throw new UnexpectedValueException('the headers are no object');
        }
        return (array) $value;
    }

    private static function dictionary(string $inner, string $kind): array
    {
        $values = $kind === '}' ? self::values($inner) : [];
        $names = array_filter($values, fn (int $index) => $index % 2 === 0, ARRAY_FILTER_USE_KEY);
        if ($kind !== '}' || count($values) % 2 || array_filter($names, is_string(...)) !== $names) {
            throw new UnexpectedValueException('the headers are no dictionary');
        }
        $headers = [];
        foreach ($names as $index => $name) {
            $headers[$name] = $values[$index + 1];
        }
        return $headers;
    }

    /** Of what a tnetstring may be: what headers can be. */
    private static function values(string $bytes, int $depth = 0): array
    {
        $values = [];
        for ($at = 0; $at < strlen($bytes);) {
            [$inner, $kind, $at] = self::frame($bytes, $at);
            $values[] = match (true) {
                $kind === ',' => self::text($inner),
                $kind === ']' && $depth < self::DEPTH => self::values($inner, $depth + 1),
                default => throw new UnexpectedValueException('a header is no string'),
            };
        }
        return $values;
    }

    private static function check(array $headers): void
    {
        foreach ($headers as $value) {
            foreach (is_array($value) ? $value : [$value] as $one) {
                if (!is_string($one)) {
                    throw new UnexpectedValueException('a header is no string');
                }
            }
        }
    }

    /** As the server makes JSON of bytes: UTF-8, or else each byte is the character of that number. */
    private static function text(string $bytes): string
    {
        return preg_match('//u', $bytes) ? $bytes : preg_replace_callback(
            '/[\x80-\xff]/',
            fn (array $byte) => chr(0xc0 | ord($byte[0]) >> 6) . chr(0x80 | ord($byte[0]) & 0x3f),
            $bytes,
        );
    }
}
