"""The page in Debian's Chromium: it opens without an error or a request, answers clicks and keys, in both themes."""

import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from plugins.report.html.page import page as written
from suites.selftest.planted.reports import failed, report, row, skipped

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium")
OPTIONS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync")
FAILED = "m-b-int8-original_clip-cpu"
# Of all elements with text of their own: the contrast of WCAG 2.2 (relative luminance) with the nearest background.
CONTRAST = """() => {
  const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  const light = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map((n) => linear(n / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (; element; element = element.parentElement) {
      const colour = getComputedStyle(element).backgroundColor;
      if (!/, 0\\)$/.test(colour)) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const own = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  const texts = [...document.body.querySelectorAll("*:not(script)")].filter((one) => own(one) && !one.closest("svg"));
  return texts.map((one) => {
    const [a, b] = [light(getComputedStyle(one).color), light(behind(one))];
    return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), `${one.tagName} ${one.textContent.slice(0, 40)}`];
  });
}"""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: apt-get install chromium")


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """One browser for all tests."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as library:
        browser = library.chromium.launch(executable_path=CHROMIUM, args=[*OPTIONS])
        yield browser
        browser.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A page with a cell of each kind."""
    declared: dict[str, Any] = {
        "verdict": "expected-failure",
        "reason": "never: squashes",
        "reasons": {"never: squashes": ["P2"]},
    }
    shares = [row("a", preprocessor=f"p{i}", share=share) for i, share in enumerate((0.1, 0.4, 0.6, 0.9, 3.0))]
    rows = [row("a"), *shares, row("a", preprocessor="cv", broken_promises=["P2"], **declared), failed(), skipped()]
    rows[0]["not_judged"] = ["recall: random weights"]
    target = tmp_path / "report.html"
    target.write_text(written(report(*rows), report(row("b", "int8"))))
    return target


def opened(browser: "Browser", path: Path, width: int = 1200, theme: str = "light") -> "tuple[Page, list[str]]":
    """The page, and what went wrong: messages on the console, errors, and requests that leave the file."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=theme)  # type: ignore[arg-type]
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda request: None if request.url.startswith(("file:", "data:")) else wrong.append(request.url))
    page.goto(path.as_uri())
    return page, wrong


def test_it_answers_clicks_and_keys(browser: "Browser", path: Path) -> None:
    """A square opens its cell, by mouse and by keyboard; Escape closes it; the filter leaves what it names."""
    page, wrong = opened(browser, path)
    page.click(f'.heat a[href="#{FAILED}"]')
    assert page.inner_text("dialog h2") == FAILED and "cosine distance max" in page.inner_text("dialog")
    assert "pytest --backend=b --precision=int8" in page.inner_text("dialog") and page.url.endswith(f"#{FAILED}")
    page.keyboard.press("Escape")
    assert not page.is_visible("dialog") and "#" not in page.url
    page.focus(f'.heat a[href="#{FAILED}"]')
    page.keyboard.press("Enter")
    assert page.is_visible("dialog")
    page.click("dialog button")
    page.fill("#filter", "INT8 fail")
    assert page.inner_text("#count") == "1 cells" and page.locator("#all tbody tr:visible").count() == 1
    page.goto(f"{path.as_uri()}#{FAILED}")
    assert not wrong


def test_a_link_opens_its_cell(browser: "Browser", path: Path) -> None:
    """The address of a cell can be sent."""
    page, wrong = opened(browser, path)
    page.goto("about:blank")
    page.goto(f"{path.as_uri()}#{FAILED}")
    assert page.inner_text("dialog h2") == FAILED and not wrong


def test_charts_are_drawn(browser: "Browser", path: Path) -> None:
    """All of them, when they come into the window; the history's list chooses an encoder, and a mark opens its cell."""
    page, wrong = opened(browser, path)
    for chart in page.locator(".chart").all():
        chart.scroll_into_view_if_needed()
        chart.locator("svg").wait_for()
    assert page.locator(".chart svg").count() == 5 and not wrong
    assert page.locator(".chart").first.locator(".mark-symbol.role-mark path").count() == 8
    page.select_option(".chart select", "b int8")
    page.locator(".chart").first.locator(".mark-symbol.role-mark path").nth(1).click()
    assert page.inner_text("dialog h2") == "m-a-fp32-p0-cpu" and not wrong


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_can_be_read(browser: "Browser", path: Path, theme: str) -> None:
    """Every text has a contrast of 4.5 to 1 (WCAG 2.2, 1.4.3), in either theme."""
    page, _ = opened(browser, path, theme=theme)
    page.click(f'.heat a[href="#{FAILED}"]')
    found = page.evaluate(CONTRAST)
    assert len(found) > 100 and [text for ratio, text in found if ratio < 4.5] == []


@pytest.mark.parametrize("width", [390, 1200])
def test_it_fits(browser: "Browser", path: Path, width: int) -> None:
    """Only tables scroll sideways, each by itself, on a phone too."""
    page, _ = opened(browser, path, width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_it_has_a_structure(browser: "Browser", path: Path) -> None:
    """One first heading, no level left out, and every table has heads that say what they are of: screen readers use these."""
    page, _ = opened(browser, path)
    levels = page.evaluate("[...document.querySelectorAll('main h2, main h3, header h1')].map((e) => Number(e.tagName[1]))")
    assert levels[0] == 1 and levels.count(1) == 1 and all(b - a <= 1 for a, b in pairwise(levels))
    assert page.evaluate("[...document.querySelectorAll('th')].every((e) => e.scope)")
    assert page.evaluate("[...document.querySelectorAll('img')].every((e) => e.alt)")
