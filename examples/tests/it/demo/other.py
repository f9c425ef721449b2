"""The page with all demos, which stays open while another m2sh comes: other.py DEVTOOLS URL first|second"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent))

from devtools import Browser, Page  # noqa: E402

HAS_LINK = "document.querySelector('#hello h2 a') !== null"
ASKED = "performance.getEntriesByType('resource').filter(({ name }) => name.endsWith('/demos')).length"
MARK = "document.querySelector('#web').dataset.mark"


def first(browser, url):
    """Something is missing; and a card that stays as it is isn't made anew with each answer."""
    page = browser.open(url)
    page.wait_for_text("#hello", "Left out: Python has no module")
    page.wait_for_text("#state-hello", "left out")
    assert not page.value(HAS_LINK)
    page.value(f"{MARK} = 'the same'")
    page.wait_for(f"{ASKED} >= {page.value(ASKED) + 2}")
    assert page.value(MARK) == "the same"


def second(browser, url):
    """Nothing is missing any more."""
    targets = browser.call("Target.getTargets")["targetInfos"]
    [target] = [target["targetId"] for target in targets if target["url"] == url]
    page = Page(browser, browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"], target)
    page.wait_for(HAS_LINK)
    page.wait_for_text("#state-hello", "hello ready for ")
    assert "Left out" not in page.text("#hello"), page.text("#hello")


def main(devtools, url, part):
    {"first": first, "second": second}[part](Browser(devtools), url)


main(*sys.argv[1:])
