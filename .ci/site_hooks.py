"""Hooks of MkDocs: the page changelog.md, and the weight of pages in the search."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PACKAGES = {
    "orm": "data-bridge-orm",
    "query": "data-bridge-query",
    "core-rs": "data-bridge-core",
    "migrate": "data-bridge-migrate",
    "testing": "data-bridge-testing",
}
KINDS = {"contract": "Changes of interfaces", "added": "Added", "changed": "Changed", "fixed": "Fixed"}


# How much a page counts in the search: the guide that treats a word as its subject comes before pages that mention it.
WEIGHTS = {
    "how-to": 3.0,
    "coming-from": 3.0,
    "get-started": 2.0,
    "reference": 0.5,
    "changelog.md": 0.05,
    "contributing": 0.05,
}
SUBJECTS = {
    "how-to/connections.md": 5.0,
    "how-to/tenants.md": 5.0,
    "how-to/type-checking.md": 8.0,
    "tutorials/testing-with-rollback.md": 4.0,
    "how-to/relations.md": 5.0,
    "how-to/transactions.md": 6.0,
    "how-to/migrations.md": 5.0,
    "how-to/query.md": 5.0,
    "how-to/fastapi.md": 6.0,
    "how-to/data-frames.md": 4.0,
    "how-to/enums.md": 4.0,
    "how-to/replicas.md": 5.0,
    "how-to/timeouts.md": 4.0,
    "how-to/make-test-data.md": 6.0,
    "how-to/define-tables.md": 5.0,
    "how-to/errors.md": 7.0,
    "reference/types.md": 6.5,
    "how-to/raw-sql-and-streams.md": 6.0,
}


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Returns the text of a page; that of the changelog is completed with what each package has released, and will release."""
    name: str = page.file.src_uri
    weight = SUBJECTS.get(name) or WEIGHTS.get(name.partition("/")[0])
    if weight is not None:
        page.meta.setdefault("search", {"boost": weight})
    if name != "changelog.md":
        return markdown
    return "\n\n".join([markdown, *(_section(folder, name) for folder, name in PACKAGES.items())])


def _section(folder: str, name: str) -> str:
    package = ROOT / "packages" / folder
    _, _, released = (
        (package / "CHANGELOG.md").read_text(encoding="utf-8").partition("<!-- towncrier release notes start -->")
    )
    parts = [
        f"## {name}",
        _unreleased(package / "changelog.d"),
        re.sub(r"^#", "##", released.strip(), flags=re.MULTILINE),
    ]
    return "\n\n".join(part for part in parts if part)


def _unreleased(folder: Path) -> str:
    parts: list[str] = []
    for kind, title in KINDS.items():
        entries = [" ".join(path.read_text(encoding="utf-8").split()) for path in sorted(folder.glob(f"*.{kind}.md"))]
        if entries:
            parts += [f"**{title}**", "\n".join(f"- {entry}" for entry in entries)]
    return "\n\n".join(["### Not released yet", *parts]) if parts else ""
