"""Pages in Chromium: offline, under their policy, without a word on the console."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path


class Watched:
    """A page of the browser that keeps what it complained of and asked for."""

    def __init__(self, browser: Any, **options: Any) -> None:
        self.complaints: list[str] = []
        self.asked: list[str] = []
        self.tab = browser.new_page(**options)
        self.tab.on("console", lambda message: self.complaints.append(message.text))
        self.tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.tab.on("request", lambda request: self.asked.append(request.url))

    def open(self, path: Path) -> Any:
        self.tab.goto(path.as_uri())
        return self.tab


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [480, 1400])
def test_index_draws(browser: Any, pages: Path, scheme: str, width: int) -> None:
    watched = Watched(browser, color_scheme=scheme, viewport={"width": width, "height": 900})
    tab = watched.open(pages / "index.html")
    tab.locator(".plot .barlayer, .plot .scatterlayer").first.wait_for()
    assert tab.locator(".plot .main-svg").count() > 0
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert watched.complaints == []
    assert all(url.startswith("file://") for url in watched.asked)


def test_the_other_variant_is_drawn_when_chosen(browser: Any, pages: Path) -> None:
    watched = Watched(browser, viewport={"width": 1200, "height": 900})
    tab = watched.open(pages / "index.html")
    assert not tab.locator("#shell-p95").is_visible()
    tab.get_by_role("radio", name="typical p95").focus()
    tab.keyboard.press("Space")
    tab.locator("#shell-p95 .barlayer").wait_for()
    assert not tab.locator("#shell-mean").is_visible()
    assert watched.complaints == []


def test_a_bar_leads_to_its_route(browser: Any, pages: Path) -> None:
    watched = Watched(browser, viewport={"width": 1200, "height": 900})
    tab = watched.open(pages / "index.html")
    bar = tab.locator("#shell-mean .barlayer .point path").first
    bar.wait_for()
    bar.scroll_into_view_if_needed()
    box = bar.bounding_box()
    tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tab.locator("#shell-mean .hovertext").first.wait_for()
    tab.mouse.down()
    tab.mouse.up()
    tab.wait_for_url("**/route/*.html")
    assert watched.complaints == []


@pytest.mark.parametrize("kind", ["route", "seam", "request"])
def test_other_pages_are_silent(browser: Any, pages: Path, kind: str) -> None:
    watched = Watched(browser, viewport={"width": 480, "height": 900})
    for page in sorted((pages / kind).glob("*.html"))[:4]:
        tab = watched.open(page)
        assert tab.locator("h1").inner_text()
        assert tab.evaluate("document.documentElement.scrollWidth") <= 480
    assert watched.complaints == []


def test_every_number_is_readable_without_scripts(browser: Any, pages: Path) -> None:
    watched = Watched(browser, java_script_enabled=False)
    tab = watched.open(pages / "index.html")
    tab.locator("details summary").first.click()
    assert tab.locator("details[open] table").first.is_visible()
