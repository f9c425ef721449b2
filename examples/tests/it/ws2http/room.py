"""Two pages in the same room, and one that sends what it should not: room.py DEVTOOLS URL"""

import json
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent))

from devtools import Browser  # noqa: E402

ATTACK = "<img src=x onerror=\"document.title='hacked'\"><script>document.title='hacked'</script>"

# Chooses a picture of 3 to 2 pixels as a user would, by the field.
CHOOSE = """(async () => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 3, height: 2 });
  const bytes = await new Promise((done) => canvas.toBlob(done, "image/png"));
  const files = new DataTransfer();
  files.items.add(new File([bytes], "picture.png", { type: "image/png" }));
  document.querySelector("#picture").files = files.files;
  document.querySelector("#picture").dispatchEvent(new Event("change"));
})()"""

# What no page of the room would send.
MALFORMED = ["", "\t", "join", "here\tEve", "said\tAnn\tno", "say", "\u0000", "{", "x" * 50_000, ATTACK]


def tell(step):
    """Says how far it is: each step may take as long as anything may."""
    print(step, file=sys.stderr, flush=True)


def enter(page, name):
    page.wait_for("socket.readyState === WebSocket.OPEN")
    page.type("#name", name)
    page.wait_for_text("#state", f"You are {name}.")
    page.wait_for_text("#here", name)


def main(devtools, url):
    browser = Browser(devtools)
    ann, bob = browser.open(url), browser.open(url)
    enter(ann, "Ann")
    bob.wait_for_text("#here", "Ann")  # It is told before it has come in.
    bob.type("#name", "ANN")
    bob.wait_for_text("#state", "somebody else has this name")
    bob.value("document.querySelector('#name').value = ''")
    enter(bob, "<b>Bob</b>")
    ann.wait_for_text("#lines", "<b>Bob</b> has come.")
    ann.wait_for_text("#here", "<b>Bob</b>, Ann")
    tell("both are in")

    ann.type("#text", "hello, 👩‍🚀 & 100%")
    bob.wait_for_text("#lines", "hello, 👩‍🚀 & 100%")
    bob.type("#text", ATTACK)
    for page in ann, bob:
        page.wait_for_text("#lines", ATTACK)
        assert page.value("document.querySelectorAll('#inside b, #inside img, #inside script').length") == 0
        assert page.value("document.title") == "Room"
    tell("both have spoken")

    bob.value(CHOOSE)
    for page in ann, bob:
        page.wait_for("document.querySelector('#lines img')?.naturalWidth === 3")
        page.wait_for("document.querySelector('#lines img').naturalHeight === 2")
    bob.value("socket.send(new Uint8Array([0, 255, 1]))")
    ann.wait_for_text("#lines", "something that is no picture")
    tell("both have seen pictures")

    eve = browser.open(url)
    eve.wait_for_text("#here", "Ann")
    for text in MALFORMED:
        eve.value(f"socket.send({json.dumps(text)})")
    eve.value("socket.send(new Uint8Array(50_000))")
    enter(eve, "Eve")
    eve.wait_for_text("#lines", ATTACK)  # What was said before she came.
    ann.wait_for_text("#lines", "Eve has come.")
    ann.type("#text", "still here")
    for page in ann, bob, eve:
        page.wait_for_text("#lines", "still here")
        assert page.value("document.title") == "Room"
    tell("nobody was disturbed")

    bob.close()
    ann.wait_for_text("#lines", "<b>Bob</b> has left.")
    ann.wait_for("document.querySelector('#here').innerText === 'Ann, Eve'")


if __name__ == "__main__":
    main(*sys.argv[1:])
