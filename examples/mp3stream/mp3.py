"""MP3 files: their frames, how long each plays, and what they are called.  What isn't a frame is passed over."""

import re
from pathlib import Path

# Kilobits a second by the header's index (ISO 11172-3 and 13818-3, layer III), and samples a second.
RATES_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
RATES_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
FREQUENCIES = (44100, 48000, 32000)

PIECE = 64 * 1024  # bytes that are read at once
LONGEST = 2 * 1024  # more than any frame has
TAG = 1 << 20  # bytes of an ID3 tag that are looked at: pictures may be longer, titles come before them

ENCODINGS = ("latin-1", "utf-16", "utf-16-be", "utf-8")


def frame(data, at):
    """The size of the frame whose header is there, and the seconds that it plays; None if there is none."""
    if at + 4 > len(data) or data[at] != 0xFF or data[at + 1] & 0xE6 != 0xE2:
        return None
    version, rate, frequency = data[at + 1] >> 3 & 3, data[at + 2] >> 4, data[at + 2] >> 2 & 3
    if version == 1 or rate in (0, 15) or frequency == 3:
        return None
    is_first = version == 3
    hertz = FREQUENCIES[frequency] // {3: 1, 2: 2, 0: 4}[version]
    bits = (RATES_1 if is_first else RATES_2)[rate] * 1000
    samples = 1152 if is_first else 576
    return samples // 8 * bits // hertz + (data[at + 2] >> 1 & 1), samples / hertz


def frames(path):
    """Each frame of a file that another one follows, and the seconds that it plays.  The one that only describes the
    others is left out."""
    with open(path, "rb") as file:
        file.seek(tag_size(file.read(10)))
        data, at, is_first = file.read(PIECE), 0, True
        while data:
            if len(data) - at < 2 * LONGEST:
                more = file.read(PIECE)
                data, at = data[at:] + more, 0
                if not more and len(data) < 4:
                    return
            found = frame(data, at)
            # A header can be anywhere by chance; with another one behind it, it is one.
            if found and (at + found[0] == len(data) or frame(data, at + found[0])):
                piece = data[at : at + found[0]]
                if not (is_first and describes(piece)):
                    yield piece, found[1]
                at, is_first = at + found[0], False
            else:
                at = data.find(b"\xff", at + 1)
                at = len(data) if at < 0 else at
            if at >= len(data):
                data, at = file.read(PIECE), 0


def describes(piece):
    """Whether a frame has no sound but the number of those that follow."""
    return any(mark in piece[:64] for mark in (b"Xing", b"Info", b"VBRI"))


def tag_size(head):
    """How many bytes an ID3v2 tag takes at the beginning of a file."""
    if head[:3] != b"ID3" or len(head) < 10:
        return 0
    return 10 + number(head[6:10], 7) + (10 if head[5] & 0x10 else 0)


def title(path):
    """`Artist - Title` of the file's tag, or its name."""
    with open(path, "rb") as file:
        head = file.read(10)
        texts = tag_texts(head[3:4], file.read(min(TAG, max(0, tag_size(head) - 10))))
    told = [texts[name] for name in (b"TPE1", b"TIT2") if texts.get(name)]
    return " - ".join(told) or Path(path).stem


def tag_texts(version, tag):
    """The texts of an ID3v2.3 or v2.4 tag by the names of their frames."""
    texts, at = {}, 0
    while at + 11 <= len(tag) and re.match(rb"[A-Z0-9]{4}", tag[at : at + 4]):
        size = number(tag[at + 4 : at + 8], 7 if version == b"\x04" else 8)
        value = tag[at + 10 : at + 10 + size]
        if tag[at : at + 1] == b"T" and value[:1] and value[0] < len(ENCODINGS):
            text = value[1:].decode(ENCODINGS[value[0]], errors="replace")
            texts[tag[at : at + 4]] = text.split("\0")[0].strip()
        at += 10 + size
    return texts


def number(digits, bits):
    """A number of bytes of which so many bits count."""
    value = 0
    for digit in digits:
        value = value << bits | digit & (1 << bits) - 1
    return value
