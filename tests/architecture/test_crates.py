"""Which crate knows which: read from cargo itself."""

from __future__ import annotations

import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PREFIX = "data-bridge-"
EDGES = {
    "ir": set[str](),
    "sql": {"ir"},
    "lint": {"ir"},
    "wire": set[str](),
    "driver": {"wire"},
    "py": {"ir", "sql", "lint", "wire", "driver"},
}
ONLY = {"pyo3": {"py"}, "sqlx": {"driver"}, "sqlx-core": {"driver"}, "sqlx-postgres": {"driver"}}
PURE = {"ir", "sql", "lint", "wire"}
IMPURE = {"tokio", "sqlx", "pyo3", "libc", "mio", "socket2", "async-std", "futures-util", "reqwest"}


@cache
def packages() -> list[dict[str, Any]]:
    command = ["cargo", "metadata", "--format-version=1", "--no-deps", "--offline"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT / "packages/core-rs")
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)["packages"]
    return found


def problems(crates: list[dict[str, Any]]) -> list[str]:
    found: list[str] = []
    for crate in crates:
        name = crate["name"].removeprefix(PREFIX)
        needs = {dependency["name"] for dependency in crate["dependencies"] if dependency["kind"] != "dev"}
        ours = {need.removeprefix(PREFIX) for need in needs if need.startswith(PREFIX)}
        found += [f"{name} may not know {need}" for need in ours - EDGES[name]]
        found += [
            f"{need} belongs to {ONLY[need]}, not to {name}"
            for need in needs
            if need in ONLY and name not in ONLY[need]
        ]
        if name in PURE:
            found += [f"{name} is pure and may not need {need}" for need in needs & IMPURE - set(ONLY)]
    return found


def test_every_edge_is_allowed() -> None:
    assert {crate["name"].removeprefix(PREFIX) for crate in packages()} <= set(EDGES)
    assert problems(packages()) == []


@pytest.mark.parametrize(
    ("crate", "need"), [("sql", "pyo3"), ("py", "sqlx"), ("wire", "tokio"), ("driver", "data-bridge-ir")]
)
def test_a_planted_edge_is_found(crate: str, need: str) -> None:
    planted = {"name": PREFIX + crate, "dependencies": [{"name": need, "kind": None}]}
    assert len(problems([planted])) == 1


def test_nobody_prints_and_nothing_is_left_undone() -> None:
    """The lints that say so are switched on for the workspace, and every crate uses them."""
    for crate in packages():
        assert "[lints]\nworkspace = true" in Path(crate["manifest_path"]).read_text(), crate["name"]
    lints = (ROOT / "packages/core-rs/Cargo.toml").read_text()
    for lint in ("dbg_macro", "print_stdout", "todo", "unimplemented"):
        assert f'{lint} = "deny"' in lints
