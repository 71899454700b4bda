"""What the maps of the code name exists: the files of query and orm in ARCHITECTURE.md and the pages that explain."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs" / "explanation").glob("*.md"))]
FILE = re.compile(r"`(?:packages/)?((?:orm|query)/src/[\w./]+)`")
SHORT = re.compile(r"`(?:orm|query)/…/")


def named(text: str) -> list[str]:
    return FILE.findall(text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_named_path_exists(page: Path) -> None:
    text = page.read_text()
    assert [path for path in named(text) if not (ROOT / "packages" / path).exists()] == []
    assert SHORT.findall(text) == [], "write paths in full, so that this test can follow them"


def test_the_maps_name_paths() -> None:
    found = [path for page in PAGES for path in named(page.read_text())]
    assert len(found) > 10
    assert named("see `orm/src/data_bridge/orm/nowhere.py`") == ["orm/src/data_bridge/orm/nowhere.py"]
