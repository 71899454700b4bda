"""The versions that the packages declare fit together."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ["core-rs", "query", "orm", "migrate", "testing"]
CLOSURE = {
    "data-bridge-core": set[str](),
    "data-bridge-query": {"data-bridge-core"},
    "data-bridge-migrate": {"data-bridge-core", "data-bridge-query"},
    "data-bridge-orm": {"data-bridge-core", "data-bridge-query", "data-bridge-migrate"},
    "data-bridge-testing": {"data-bridge-core"},
}
RANGE = re.compile(r"^(?P<name>data-bridge-[a-z]+)>=(?P<low>[\d.]+),<(?P<high>[\d.]+)$")


def project(folder: str) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((ROOT / "packages" / folder / "pyproject.toml").read_text())["project"]
    return found


PROJECTS = {found["name"]: found for found in map(project, FOLDERS)}


def numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


@pytest.mark.parametrize("name", CLOSURE)
def test_siblings_are_named_with_a_range_that_holds_the_present_version(name: str) -> None:
    ranges = [found for text in PROJECTS[name]["dependencies"] if (found := RANGE.match(text))]
    assert {found["name"] for found in ranges} == CLOSURE[name]
    for found in ranges:
        present = numbers(PROJECTS[found["name"]]["version"])
        assert numbers(found["low"]) <= present < numbers(found["high"]), (
            f"{name} excludes the {found['name']} beside it"
        )


@pytest.mark.parametrize("name", CLOSURE)
def test_every_sibling_is_matched_by_the_pattern(name: str) -> None:
    ours = [text for text in PROJECTS[name]["dependencies"] if text.startswith("data-bridge-")]
    assert all(RANGE.match(text) for text in ours)


def test_two_packages_never_name_disjoint_ranges() -> None:
    for sibling in CLOSURE:
        found = [match for other in PROJECTS.values() for text in other["dependencies"] if (match := RANGE.match(text))]
        lows = [numbers(match["low"]) for match in found if match["name"] == sibling]
        highs = [numbers(match["high"]) for match in found if match["name"] == sibling]
        assert not lows or max(lows) < min(highs)


@pytest.mark.parametrize("name", CLOSURE)
def test_the_metadata_is_complete(name: str) -> None:
    found = PROJECTS[name]
    assert found["requires-python"] == ">=3.11"
    assert found["license"] == "MIT"
    assert found["readme"] == "README.md"
    assert "Typing :: Typed" in found["classifiers"]
    assert len(found["description"]) > 20


def test_the_crates_have_the_version_of_the_distribution() -> None:
    cargo = tomllib.loads((ROOT / "packages/core-rs/Cargo.toml").read_text())
    assert cargo["workspace"]["package"]["version"] == PROJECTS["data-bridge-core"]["version"]


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_package_has_its_papers(folder: str) -> None:
    for paper in ("README.md", "CHANGELOG.md", "LICENSE", "changelog.d", "tests"):
        assert (ROOT / "packages" / folder / paper).exists(), f"packages/{folder}/{paper} is missing"
    assert (ROOT / "packages" / folder / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()


def test_fragments_have_a_known_kind() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["towncrier"]
    kinds = {kind["directory"] for kind in settings["type"]}
    for fragment in ROOT.glob("packages/*/changelog.d/*.md"):
        assert fragment.suffixes[-2].lstrip(".") in kinds, f"{fragment}: name it NUMBER.KIND.md or +WORD.KIND.md"
