"""What the built distributions hold. Needs dist/: `nox -s wheels` builds it and runs these."""

from __future__ import annotations

import re
import tarfile
import zipfile
from email.message import Message
from email.parser import Parser
from functools import cache
from pathlib import Path

import pytest

pytestmark = pytest.mark.wheels

ROOT = Path(__file__).parents[2]
DIST = ROOT / "dist"
PARTS = {
    "core": ["core"],
    "query": ["query"],
    "migrate": ["migrate"],
    "orm": ["orm", "postgres"],
    "testing": ["testing"],
}
LIMIT = 5_000_000
"""Bytes that the wheel of the core may have."""


@cache
def wheel(name: str) -> Path:
    (found,) = DIST.glob(f"data_bridge_{name}-*.whl")
    return found


def names(name: str) -> list[str]:
    with zipfile.ZipFile(wheel(name)) as archive:
        return archive.namelist()


def metadata(name: str) -> Message:
    with zipfile.ZipFile(wheel(name)) as archive:
        (path,) = [entry for entry in archive.namelist() if entry.endswith(".dist-info/METADATA")]
        return Parser().parsestr(archive.read(path).decode())


@pytest.mark.parametrize("name", PARTS)
def test_a_wheel_holds_its_parts_and_nothing_else(name: str) -> None:
    allowed = tuple(f"data_bridge/{part}/" for part in PARTS[name])
    strays = [entry for entry in names(name) if not entry.startswith(allowed) and ".dist-info/" not in entry]
    assert strays == []
    assert "data_bridge/__init__.py" not in names(name)


@pytest.mark.parametrize("name", PARTS)
def test_every_part_is_typed_and_importable(name: str) -> None:
    for part in PARTS[name]:
        assert f"data_bridge/{part}/__init__.py" in names(name)
        assert f"data_bridge/{part}/py.typed" in names(name)


@pytest.mark.parametrize("name", PARTS)
def test_no_tests_caches_or_rust_sources_are_shipped(name: str) -> None:
    assert [entry for entry in names(name) if re.search(r"/tests?/|__pycache__|\.rs$|\.orig$", entry)] == []


@pytest.mark.parametrize("name", PARTS)
def test_the_licence_and_the_readme_are_shipped(name: str) -> None:
    assert any(re.search(r"\.dist-info/(licenses/)?LICENSE$", entry) for entry in names(name))
    text = metadata(name)
    assert text["License-Expression"] == "MIT"
    assert text["Requires-Python"] == ">=3.11"
    assert len(text.get_payload()) > 200, "the README is the page of the package"


@pytest.mark.parametrize("name", PARTS)
def test_declared_siblings_have_ranges(name: str) -> None:
    ours = [text for text in metadata(name).get_all("Requires-Dist") or [] if text.startswith("data-bridge")]
    assert all(
        re.fullmatch(r"data-bridge-\w+<[\d.]+,>=[\d.]+|data-bridge-\w+>=[\d.]+,<[\d.]+", text) for text in ours
    ), ours
    assert bool(ours) == (name != "core")


def test_core_and_query_need_nothing_else() -> None:
    assert [text for text in metadata("core").get_all("Requires-Dist") or [] if "extra ==" not in text] == []
    (only,) = [text for text in metadata("query").get_all("Requires-Dist") or [] if "extra ==" not in text]
    assert only.startswith("data-bridge-core")


def test_the_core_brings_its_extension_and_its_stub() -> None:
    entries = names("core")
    assert len([entry for entry in entries if re.search(r"core/_native\.[^/]*\.(so|pyd)$", entry)]) == 1
    assert "data_bridge/core/_native.pyi" in entries
    assert wheel("core").stat().st_size < LIMIT


def test_entry_points() -> None:
    with zipfile.ZipFile(wheel("testing")) as archive:
        (path,) = [entry for entry in archive.namelist() if entry.endswith("entry_points.txt")]
        text = archive.read(path).decode()
    assert "data_bridge.testing.plugin" in text
    assert "[data_bridge.dsn]" in text and "[data_bridge.commands]" in text


@pytest.mark.parametrize("name", PARTS)
def test_an_sdist_stands_beside_each_wheel(name: str) -> None:
    (path,) = DIST.glob(f"data_bridge_{name}-*.tar.gz")
    with tarfile.open(path) as archive:
        entries = [entry.split("/", 1)[-1] for entry in archive.getnames()]
    assert "pyproject.toml" in entries and "README.md" in entries
    if name == "core":
        assert any(entry.endswith("Cargo.lock") for entry in entries)
        assert any("contract/ir.md" in entry for entry in entries)
