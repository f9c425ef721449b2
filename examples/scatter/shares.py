"""A handler's part of each file: in a folder of its own, a file for each, that is never there half.

A file is cut into stripes.  Of COUNT handlers number 1 keeps the stripes 0, COUNT, 2 * COUNT …, number 2 the ones
behind these, and so on.  A share begins with a line of JSON: what the whole file is, and a checksum of each stripe.
"""

import hashlib
import json
import os
import zlib
from pathlib import Path

STRIPE = 64 * 1024


class Shares:
    def __init__(self, folder, number, count):
        self.folder, self.number, self.count = Path(folder), number, count
        self.folder.mkdir(parents=True, exist_ok=True)
        for draft in self.folder.glob("*.draft"):
            draft.unlink()  # what was being stored when this handler was killed

    def draft(self, name, body):
        """Writes this handler's stripes of a body beside what is kept under that name; gives where."""
        stripes = [body[at : at + STRIPE] for at in range(0, len(body), STRIPE)][self.number - 1 :: self.count]
        about = {
            "name": name,
            "size": len(body),
            "sha256": hashlib.sha256(body).hexdigest(),
            "share": [self.number, self.count],
            "checksums": [zlib.crc32(stripe) for stripe in stripes],
        }
        draft = self.path(name).with_suffix(".draft")
        try:
            with open(draft, "wb") as file:
                file.write(json.dumps(about).encode() + b"\n")
                file.writelines(stripes)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            draft.unlink(missing_ok=True)
            raise
        return draft

    def keep(self, name, draft):
        draft.rename(self.path(name))

    def has(self, name):
        return self.path(name).exists()

    def remove(self, name):
        self.path(name).unlink(missing_ok=True)

    def open(self, name):
        """The share of a file, or None.  It stays the same whatever happens to the file meanwhile."""
        try:
            return Share(open(self.path(name), "rb"), [self.number, self.count])
        except FileNotFoundError:
            return None

    def path(self, name):
        # A hash is a name that no client can lead out of the folder.
        return self.folder / hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()


class Share:
    def __init__(self, file, share):
        self.file = file
        about = json.loads(file.readline())
        self.start = file.tell()
        self.size, self.sha256, self.checksums = about["size"], about["sha256"], about["checksums"]
        if about["share"] != share:
            raise ValueError(f"it is share {about['share']}, and not {share}")

    def stripe(self, place):
        """The stripe at that place among this handler's.  Raises ValueError if it isn't what was stored."""
        self.file.seek(self.start + place * STRIPE)
        stripe = self.file.read(STRIPE if place + 1 < len(self.checksums) else -1)
        if zlib.crc32(stripe) != self.checksums[place]:
            raise ValueError("a stripe has changed on the disk")
        return stripe

    def close(self):
        self.file.close()
