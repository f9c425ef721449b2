"""Two pages and a client at a terminal in the same room: room.py DEVTOOLS URL HOST PORT CLIENT"""

import subprocess
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent))

from devtools import Browser  # noqa: E402

ATTACK = "<img src=x onerror=\"document.title='hacked'\"><script>document.title='hacked'</script>"


class Terminal:
    """The client, whose lines are waited for."""

    def __init__(self, script, *words):
        command = [sys.executable, script, *words]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def wait_for(self, expected):
        for line in self.process.stdout:
            if line == expected + "\n":
                return
        raise AssertionError(f"{expected} was not printed")

    def end(self):
        self.process.stdin.close()
        assert self.process.wait(30) == 0


def main(devtools, url, host, port, client):
    browser = Browser(devtools)
    ann, bob = browser.open(url), browser.open(url)
    ann.type("#name", "Ann")
    ann.wait_for_text("#users", "Ann")
    bob.type("#name", "ANN")
    bob.wait_for_text("#state", "somebody else has this name")
    bob.value("document.querySelector('#name').value = ''")
    bob.type("#name", "<b>Bob</b>")
    ann.wait_for_text("#messages", "<b>Bob</b> has come.")
    cy = Terminal(client, "Cy", host, port)
    cy.wait_for("* here are Ann, <b>Bob</b>, Cy")
    for page in ann, bob:
        page.wait_for_text("#users", "<b>Bob</b>\nAnn\nCy")

    ann.type("#text", "hello, 👩‍🚀")
    bob.wait_for_text("#messages", "Annhello, 👩‍🚀")
    cy.wait_for("Ann: hello, 👩‍🚀")
    cy.say("from a terminal")
    for page in ann, bob:
        page.wait_for_text("#messages", "Cyfrom a terminal")

    bob.type("#text", ATTACK)
    cy.say(ATTACK)
    cy.wait_for(f"Cy: {ATTACK}")
    for page in ann, bob:
        page.wait_for_text("#messages", f"<b>Bob</b>{ATTACK}")
        page.wait_for_text("#messages", f"Cy{ATTACK}")
        assert page.value("document.querySelectorAll('#room b, #room img, #room script').length") == 0
        assert page.value("document.title") == "Chat"
    # Even what got into a page could not run there.
    markup = "document.querySelector('#messages').innerHTML = \"<img src=x onerror=document.title='hacked'>\""
    loaded = "new Promise(done => document.querySelector('#messages img').addEventListener('error', () => done(true)))"
    bob.value(f"{markup}; {loaded}")
    assert bob.value("document.title") == "Chat"

    bob.close()
    ann.wait_for_text("#messages", "<b>Bob</b> has left.")
    cy.wait_for("* <b>Bob</b> has left")
    cy.end()
    ann.wait_for_text("#messages", "Cy has left.")
    ann.wait_for("document.querySelector('#users').innerText === 'Ann'")


if __name__ == "__main__":
    main(*sys.argv[1:])
