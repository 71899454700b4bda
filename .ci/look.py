"""Looks at the built documentation in chromium: screenshots, contrast, headings, code that is wider than its column, searches.

    python .ci/look.py site [screenshots]

Prints a line for each finding; exit status 1 if there is one. Where chromium is not installed (Debian: `apt-get install chromium`),
nothing is checked, and a line says so. $DATA_BRIDGE_CHROMIUM names another browser of the family.
"""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from check_search import WANTED
from playwright.sync_api import Browser, Page, sync_playwright

PAGES = (
    "",
    "get-started/install/",
    "get-started/tour/",
    "tutorials/queries/",
    "how-to/define-tables/",
    "how-to/transactions/",
    "how-to/zero-downtime/",
    "coming-from/django/",
    "reference/cheat-sheet/",
    "reference/tables/",
    "reference/errors/",
    "explanation/performance/",
)
WIDTHS = (1400, 390)
SCHEMES = ("light", "dark")
RULES = [
    "color-contrast",
    "document-title",
    "heading-order",
    "html-has-lang",
    "image-alt",
    "link-name",
    "page-has-heading-one",
    "svg-img-alt",
]
WIDE = """() => [...document.querySelectorAll('article pre > code')]
    .filter(code => code.scrollWidth > code.clientWidth + 1)
    .map(code => code.innerText.split('\\n').sort((a, b) => b.length - a.length)[0])"""
"""The longest line of each block of code that has to be scrolled sideways."""


def find_chromium() -> str | None:
    """The path of chromium or Chrome."""
    named = os.environ.get("DATA_BRIDGE_CHROMIUM")
    return named or next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class _Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments: Any) -> None: ...


@contextmanager
def served(site: Path) -> Iterator[str]:
    """Serves the site on the loopback interface; the address."""
    handler = functools.partial(_Silent, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()


def look(browser: Browser, address: str, width: int, scheme: Any, folder: Path) -> list[str]:
    """Takes the screenshots of one width and one colour scheme."""
    found: list[str] = []
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    for name in PAGES:
        page.goto(address + name)
        shot = f"{name.strip('/').replace('/', '-') or 'home'}-{width}-{scheme}.png"
        page.screenshot(path=folder / shot)
        label = f"{name or 'home'} at {width} pixels, {scheme}"
        if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
            found.append(f"{label}: the page is wider than the window")
        if width == WIDTHS[0]:
            found += [f"{label}: {problem}" for problem in accessibility(page)]
    context.close()
    return found


def accessibility(page: Page) -> list[str]:
    """What axe finds in a page."""
    found: list[str] = []
    for violation in Axe().run(page, options={"runOnly": RULES}).response["violations"]:
        for node in violation["nodes"][:3]:
            reason = node["any"][0]["message"] if node["any"] else ""
            found.append(f"{violation['id']}: {' '.join(node['html'].split())[:120]}: {reason}")
    return found


def wide_code(page: Page, address: str, site: Path) -> list[str]:
    """Code that is wider than its column, on every page."""
    found: list[str] = []
    for path in sorted(site.rglob("index.html")):
        name = (
            str(path.parent.relative_to(site)).replace(".", "", 1)
            if path.parent == site
            else f"{path.parent.relative_to(site)}/"
        )
        page.goto(address + name, wait_until="domcontentloaded")
        found += [f"{name or 'home'}: code is wider than the column: {line[:100]}" for line in page.evaluate(WIDE)]
    return found


def without_scripts(browser: Browser, address: str) -> list[str]:
    """Pages whose text is not there without JavaScript."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    found: list[str] = []
    for name in PAGES:
        page.goto(address + name)
        if len(page.locator("article").inner_text()) < 200 or page.locator("article h1").count() != 1:
            found.append(f"{name or 'home'}: the text needs JavaScript")
    context.close()
    return found


def searches(page: Page, address: str) -> list[str]:
    """Searches that do not find their page first, in the theme's own search."""
    found: list[str] = []
    for words, wanted in WANTED.items():
        page.goto(address)
        page.keyboard.press("/")
        page.locator("input.md-search__input").fill(words)
        first = page.locator(".md-search-result__item a").first
        first.wait_for()
        page.wait_for_timeout(150)
        target = str(first.evaluate("link => link.href")).removeprefix(address).partition("?")[0].partition("#")[0]
        if target != wanted:
            found.append(f"the search for {words!r} finds {target} first, not {wanted}")
    return found


def main(site: Path, folder: Path) -> int:
    """Looks at the site; the exit status."""
    chromium = find_chromium()
    if chromium is None:
        print("chromium is not installed: nothing was looked at")
        return 0
    folder.mkdir(parents=True, exist_ok=True)
    with served(site.resolve()) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage"])
        found = [problem for w in WIDTHS for s in SCHEMES for problem in look(browser, address, w, s, folder)]
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        found += wide_code(page, address, site.resolve())
        found += searches(page, address)
        found += without_scripts(browser, address)
        browser.close()
    print("\n".join(found) or f"{len(PAGES) * 4} screenshots in {folder}; nothing is wrong")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else Path("site-screenshots")))
