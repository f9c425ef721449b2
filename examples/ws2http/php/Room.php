<?php
// The rules of the room.  Its state is a file, which is locked from the first look at it until all have been told, so that
// all hear the same in the same order, however many PHPs are at work.

final class Room
{
    private const KEPT = 20; // lines that those who come later get to see
    private const LONGEST = 4096; // bytes of a text
    private const LARGEST = 64 * 1024; // bytes of a picture

    private array $sockets = []; // id => [number of the last event, name or null]
    private array $lines = [];

    private function __construct(private mixed $file, private Bridge $bridge, private string $uri)
    {
        $state = json_decode(stream_get_contents($file), true) ?? [];
        ['sockets' => $this->sockets, 'lines' => $this->lines] = $state + ['sockets' => [], 'lines' => []];
    }

    /** Does what an event asks for, with nobody else in between. */
    public static function hear(string $path, Bridge $bridge, array $event): void
    {
        $file = fopen($path, 'c+');
        if (!$file || !flock($file, LOCK_EX)) {
            throw new RuntimeException("there is no state in $path");
        }
        (new self($file, $bridge, $event['uri']))->do($event);
        fclose($file);
    }

    private function do(array $event): void
    {
        $id = $event['id'];
        if ($event['number'] <= ($this->sockets[$id][0] ?? -1)) {
            return; // It was heard, but the answer has got lost.
        }
        if ($event['verb'] === 'close') {
            $this->leave($id);
        } elseif ($event['verb'] === 'open') {
            $this->open($id);
        } elseif (isset($this->sockets[$id])) {
            $this->sockets[$id][0] = (int) $event['number'];
            match ([$event['verb'], $event['type'] ?? '']) {
                ['message', 'text'] => $this->text($id, $event['data']),
                ['message', 'binary'] => $this->picture($id, $event['data']),
                default => $this->save(),
            };
        }
    }

    private function open(string $id): void
    {
        // Some may be gone whose close has not come yet, or never will, as ws2http was killed.
        $there = array_flip($this->bridge->at($this->uri));
        $gone = self::names(array_diff_key($this->sockets, $there));
        $this->sockets = array_intersect_key($this->sockets, $there);
        $this->sockets[$id] = [0, null];
        $this->save();
        foreach ($gone as $name) {
            $this->bridge->tellAll($this->uri, "left\t$name\n" . $this->here());
        }
        $this->bridge->tell($id, $this->here());
    }

    private function leave(string $id): void
    {
        $name = $this->sockets[$id][1] ?? null;
        unset($this->sockets[$id]);
        $this->save();
        if ($name !== null) {
            $this->bridge->tellAll($this->uri, "left\t$name\n" . $this->here());
        }
    }

    private function text(string $id, string $text): void
    {
        [$word, $rest] = explode("\t", $text, 2) + [1 => ''];
        match (strlen($text) > self::LONGEST ? null : $word) {
            null => $this->sorry($id, 'that is too long'),
            'join' => $this->join($id, self::clean($rest, '/[\p{Cc}\p{Cf}]+/u')),
            'say' => $this->say($id, self::clean($rest, '/\p{Cc}+/u')),
            default => $this->sorry($id, 'the room does not know this word'),
        };
    }

    private function join(string $id, string $name): void
    {
        $taken = array_map(fn ($socket) => strtolower($socket[1] ?? ''), $this->sockets);
        if ($this->sockets[$id][1] !== null) {
            $this->sorry($id, 'you are here already');
        } elseif (!preg_match('/^.{1,24}$/u', $name)) {
            $this->sorry($id, 'a name has 1 to 24 letters');
        } elseif (in_array(strtolower($name), $taken, true)) {
            $this->sorry($id, 'somebody else has this name');
        } else {
            $this->sockets[$id][1] = $name;
            $this->save();
            $this->bridge->tell($id, implode("\n", ["you\t$name", ...$this->lines]));
            $this->bridge->tellAll($this->uri, "came\t$name\n" . $this->here());
        }
    }

    private function say(string $id, string $text): void
    {
        $name = $this->sockets[$id][1];
        if ($name === null) {
            $this->sorry($id, 'say first who you are');
        } elseif (!preg_match('/^.{1,500}$/u', $text)) {
            $this->sorry($id, 'say 1 to 500 letters');
        } else {
            $this->lines = array_slice([...$this->lines, "said\t$name\t$text"], -self::KEPT);
            $this->save();
            $this->bridge->tellAll($this->uri, "said\t$name\t$text");
        }
    }

    private function picture(string $id, string $bytes): void
    {
        $name = $this->sockets[$id][1];
        if ($name === null || strlen($bytes) > self::LARGEST) {
            $this->sorry($id, $name === null ? 'say first who you are' : 'the picture is too large');
        } else {
            $this->save();
            $this->bridge->tellAll($this->uri, "shows\t$name");
            $this->bridge->tellAll($this->uri, $bytes, 'binary');
        }
    }

    private function sorry(string $id, string $reason): void
    {
        $this->save();
        $this->bridge->tell($id, "sorry\t$reason");
    }

    private function here(): string
    {
        return implode("\t", ['here', ...self::names($this->sockets)]);
    }

    private static function names(array $sockets): array
    {
        return array_values(array_filter(array_column($sockets, 1), 'is_string'));
    }

    /** Before others are told: what has been told can't be taken back. */
    private function save(): void
    {
        rewind($this->file);
        ftruncate($this->file, 0);
        fwrite($this->file, json_encode(['sockets' => $this->sockets, 'lines' => $this->lines], JSON_THROW_ON_ERROR));
        fflush($this->file);
    }

    /** Without letters that nobody sees: a tab, say, which would be a word more. */
    private static function clean(string $text, string $unseen): string
    {
        return trim(preg_replace($unseen, '', $text));
    }
}
