"""The page with all demos, and behind each of its links what is to be seen there: page.py DEVTOOLS URL FILE"""

import hashlib
import json
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent))

from devtools import Browser  # noqa: E402


def text(what):
    return lambda page, _: page.wait_for_text("body", what)


def upload(page, file):
    send(page, file)
    page.wait_for_text("#answer", hashlib.sha256(Path(file).read_bytes()).hexdigest())


def store(page, file):
    send(page, file)
    page.wait_for_text("#answer", "201: stored")
    href = page.value("document.querySelector('#links a').href")
    assert page.value(f"fetch({json.dumps(href)}).then((answer) => answer.text())") == Path(file).read_text()


def send(page, file):
    field = page.call("Runtime.evaluate", expression="document.querySelector('#file')")["result"]["objectId"]
    page.call("DOM.setFileInputFiles", objectId=field, files=[file])
    page.value("document.querySelector('form button').click()")


def vote(page, _):
    page.wait_for("/^[0-9]+$/.test(document.querySelector('#yes').textContent)")
    before = int(page.text("#yes"))
    other = page.browser.open(page.value("location.href"))
    page.value("document.querySelector('[data-vote=yes]').click()")
    for one in page, other:
        one.wait_for(f"document.querySelector('#yes').textContent === '{before + 1}'")
    other.close()


def listen(page, _):
    page.wait_for("document.querySelector('video, audio')?.readyState >= 2")


CHECKS = {
    "hello": text("query: to=you"),
    "handlertest": text('"QUERY": "a=b"'),
    "upload": upload,
    "mp3stream": listen,
    "chat": lambda page, _: page.wait_for("document.querySelector('#name')?.checkVisibility()"),
    "bbs": text("A bulletin board as they were before there were pages"),
    "web": lambda page, _: page.wait_for("document.querySelector('form [name=name]') !== null"),
    "javascript": vote,
    "php": vote,
    "websocket": text("close: 1000 done clean"),
    "wsgi": text("Guest book"),
    "scatter": store,
    "pinned": text("Nobody has logged in here."),
    "ws2http": text("Connected."),
    "ws2http-cgi": text("Connected."),
}


def main(devtools, url, file):
    browser = Browser(devtools)
    page = browser.open(url)
    page.wait_for_text("#server", "mongrel2 ready")
    cards = page.wait_for("[...document.querySelectorAll('#demos section')].map((card) => card.id)")
    assert cards == list(CHECKS), cards
    for name in cards:
        state = page.text(f"#state-{name}")
        if state == "left out":
            assert not page.value(f"document.querySelector('#{name} h2 a') !== null"), name
            continue
        assert " ready for " in state, (name, state)
        href = page.value(f"document.querySelector('#{name} h2 a').href")
        opened = browser.open(href)
        CHECKS[name](opened, file)
        opened.close()
        source = page.value(f"document.querySelector('#{name} p a').href")
        opened = browser.open(source)
        opened.wait_for("document.body.innerText.length > 100")
        opened.close()
        print(f"{name} is seen", file=sys.stderr, flush=True)
    assert page.value("document.querySelectorAll('.state.bad').length") == page.value(
        "[...document.querySelectorAll('.state')].filter((state) => state.textContent === 'left out').length"
    )


main(*sys.argv[1:])
