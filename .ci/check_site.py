"""Checks the built documentation: what a reader would see broken. Prints a line for each finding; exit status 1 if any.

python .ci/check_site.py site
"""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

WRONG = {
    "a literal code fence": re.compile(r"```"),
    "an interactive prompt outside of code": re.compile(r"^\s*>>> ", re.MULTILINE),
    "an object of the reference that was not rendered": re.compile(r":::\s"),
    "an unresolved role": re.compile(r":(?:func|class|meth|mod|data|attr|exc|ref):"),
}
SILENT = {"script", "style", "code", "pre"}


class Page(HTMLParser):
    """The text outside of code, the links, the anchors and the images of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.text: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.problems: list[str] = []
        self._depth = 0
        self._last = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note anchors, links and images."""
        given = dict(attrs)
        if tag == "blockquote" and self._last == "blockquote":
            self.problems.append("an example that was not rendered as code")  # Markdown takes prompts for quotations
        self._last = tag
        if tag in SILENT:
            self._depth += 1
        if given.get("id"):
            self.anchors.add(str(given["id"]))
        if tag == "a" and given.get("href"):
            self.links.append(str(given["href"]))
        if tag == "img" and not given.get("alt"):
            self.problems.append(f"an image without a description: {given.get('src')}")

    def handle_endtag(self, tag: str) -> None:
        """Leave code."""
        if tag in SILENT:
            self._depth -= 1
        if self._last == "svg" and tag == "p":
            self.problems.append("an empty drawing")  # Markdown has closed it

    def handle_data(self, data: str) -> None:
        """Keep text outside of code."""
        if not self._depth:
            self.text.append(data)


def check(site: Path) -> list[str]:
    """All findings."""
    pages = {path.resolve(): Page(path) for path in sorted(site.rglob("*.html"))}
    found = [] if (site / "index.html").is_file() else [f"{site}: there is no site"]
    for path, page in pages.items():
        name = path.relative_to(site.resolve())
        text = "".join(page.text)
        found += [f"{name}: {what}" for what, pattern in WRONG.items() if pattern.search(text)]
        found += [f"{name}: {problem}" for problem in page.problems]
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or path.name == "404.html":
                continue
            target = path if not parts.path else (path.parent / unquote(parts.path)).resolve()
            target = target / "index.html" if target.is_dir() else target
            if not target.exists():
                found.append(f"{name}: a link to {link}, which is not there")
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                found.append(f"{name}: a link to {link}, which has no such anchor")
    return found


if __name__ == "__main__":
    findings = check(Path(sys.argv[1]))
    print("\n".join(findings) or "the site renders as it is meant to")
    sys.exit(1 if findings else 0)
