"""What an import loads: the modules, which are counted, as times are those of a machine."""

from __future__ import annotations

import subprocess
import sys

import pytest

BEFORE = {
    "data_bridge.query": "import sys",
    "data_bridge.postgres": "import sys, asyncio, pydantic\nclass Model(pydantic.BaseModel): x: int",
}
"""What a program has loaded anyway."""
MOST = {"data_bridge.query": (54, 39), "data_bridge.postgres": (196, 13)}
"""Modules of the project, and others. A number may only fall."""
NEVER = frozenset(
    {"dataclasses", "inspect", "hashlib", "difflib", "ast", "asyncio", "ssl", "json", "typing_extensions"}
)
"""What takes longer to load than most statements take to build."""


def loaded(name: str) -> tuple[list[str], list[str]]:
    """The modules of the project and the others that an import brings."""
    program = f"{BEFORE[name]}\nbefore = set(sys.modules)\nimport {name}\nprint(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    found = done.stdout.split()
    own = [m for m in found if m.partition(".")[0] == "data_bridge"]
    return own, [m for m in found if m not in own]


@pytest.mark.parametrize("name", MOST)
def test_an_import_loads_few_modules(name: str) -> None:
    own, others = loaded(name)
    assert len(own) <= MOST[name][0], own
    assert len(others) <= MOST[name][1], others


def test_building_statements_needs_little_of_the_standard_library() -> None:
    assert NEVER.intersection(loaded("data_bridge.query")[1]) == set()
