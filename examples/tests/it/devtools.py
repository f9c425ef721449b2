"""Pages of a Chromium that a test drives as a user would, over the DevTools protocol.

Everything waits for what it is about, and raises if it doesn't come.
"""

import itertools
import json
import time

from websockets.sync.client import connect

DEADLINE = 120  # seconds


class Browser:
    """A running Chromium, by the address that it prints."""

    def __init__(self, address):
        self.socket = connect(address, max_size=None, open_timeout=DEADLINE, ping_interval=None)
        self.numbers = itertools.count(1)

    def call(self, method, session=None, **parameters):
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": parameters}
        self.socket.send(json.dumps(message | ({"sessionId": session} if session else {})))
        while True:
            answer = json.loads(self.socket.recv(timeout=DEADLINE))
            if answer.get("id") == number:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]

    def open(self, url):
        target = self.call("Target.createTarget", url=url)["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        return Page(self, session, target)


class Page:
    """A tab."""

    def __init__(self, browser, session, target):
        self.browser, self.session, self.target = browser, session, target
        self.wait_for("document.readyState === 'complete' && location.href !== 'about:blank'")

    def call(self, method, **parameters):
        return self.browser.call(method, self.session, **parameters)

    def value(self, expression):
        """What an expression is, evaluated outside of the page's own rules."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, (expression, answer["exceptionDetails"])
        return answer["result"].get("value")

    def wait_for(self, expression):
        """Waits until an expression is true, and gives it."""
        end = time.monotonic() + DEADLINE
        while True:
            # A page that is being loaded has another context for a moment, and no answer.
            try:
                if value := self.value(expression):
                    return value
            except AssertionError:
                pass
            assert time.monotonic() < end, f"{expression}: {self.value('document.documentElement.outerHTML')}"
            time.sleep(0.01)

    def type(self, selector, text):
        """Types into a field, and presses Enter."""
        self.wait_for(f"document.querySelector({json.dumps(selector)})?.checkVisibility()")
        self.value(f"document.querySelector({json.dumps(selector)}).focus()")
        self.call("Input.insertText", text=text)
        for kind in "keyDown", "keyUp":
            self.call("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", windowsVirtualKeyCode=13, text="\r")

    def text(self, selector):
        return self.value(f"document.querySelector({json.dumps(selector)})?.innerText")

    def wait_for_text(self, selector, text):
        """Waits until an element shows a text somewhere."""
        self.wait_for(f"document.querySelector({json.dumps(selector)})?.innerText.includes({json.dumps(text)})")

    def close(self):
        self.browser.call("Target.closeTarget", targetId=self.target)
