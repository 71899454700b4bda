"""Which crate knows which: read from cargo itself."""

from __future__ import annotations

import json
import re
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
    "frames": {"wire"},
    "driver": {"wire"},
    "py": {"ir", "sql", "lint", "wire", "frames", "driver"},
}
ONLY = {"pyo3": {"py"}, "sqlx": {"driver"}, "sqlx-core": {"driver"}, "sqlx-postgres": {"driver"}}
PURE = {"ir", "sql", "lint", "wire", "frames"}
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


# ------------------------------------------------------------------------------------------- modules inside a crate
def module_graph(source: Path) -> dict[str, set[str]]:
    """Which module of a crate uses which, by their `use crate::…` lines outside of tests; a parent may name its children."""
    files = {
        ".".join(file.relative_to(source).with_suffix("").parts).removesuffix(".mod"): file
        for file in source.rglob("*.rs")
    }
    files = {name: file for name, file in files.items() if name not in ("lib", "main")}
    graph: dict[str, set[str]] = {name: set() for name in files}
    for name, file in files.items():
        text = file.read_text().split("#[cfg(test)]\nmod tests")[0]
        for line in re.findall(r"^use crate::([^;]+);", text, re.MULTILINE):
            for path in _paths(re.sub(r"\s+", "", line)):
                parts = path.split("::")
                used = next((m for n in range(len(parts), 0, -1) if (m := ".".join(parts[:n])) in files), None)
                if used is not None and used != name and not used.startswith(f"{name}."):
                    graph[name].add(used)
    return graph


def _paths(text: str) -> list[str]:
    """`a::{b,c::{d}}` as its paths."""
    before, brace, rest = text.partition("{")
    if not brace:
        return [text.split("as")[0] if "as" in text.split("::")[-1] else text]
    found, depth, start = [], 0, 0
    inner = rest.rpartition("}")[0]
    for at, character in enumerate(inner + ","):
        depth += (character == "{") - (character == "}")
        if character == "," and depth == 0:
            if piece := inner[start:at]:
                found += [before + path for path in _paths(piece)]
            start = at + 1
    return found


def cycles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Modules that can be reached from themselves, grouped."""

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        todo = list(graph[start])
        while todo:
            if (module := todo.pop()) not in seen:
                seen.add(module)
                todo += graph.get(module, ())
        return seen

    found: list[list[str]] = []
    for module in sorted(graph):
        group = sorted({m for m in reached(module) if module in reached(m)}) if module in reached(module) else []
        if group and group not in found:
            found.append(group)
    return found


CRATES = sorted(EDGES)
MUTUAL = {
    # The tree of a statement: expressions hold statements (subqueries), statements and definitions hold expressions.
    "ir": [["ddl", "expr", "statement"]],
    # A registered type may stand inside an array, and its functions may take the value of a type that has a codec.
    # An operation belongs to its bridge, which starts it and drains what it has become.
    "py": [
        ["codec.decode", "codec.encode", "codec.registered"],
        ["event_loop.bridge", "event_loop.completion", "event_loop.future"],
    ],
}


@pytest.mark.parametrize("crate", CRATES)
def test_modules_without_cycles(crate: str) -> None:
    assert cycles(module_graph(ROOT / f"packages/core-rs/crates/{crate}/src")) == MUTUAL.get(crate, [])


def test_a_planted_cycle_of_modules_is_found(tmp_path: Path) -> None:
    (tmp_path / "lib.rs").write_text("mod a;\nmod b;\n")
    (tmp_path / "a.rs").write_text("use crate::b::{One, two::Three};\n")
    (tmp_path / "b.rs").write_text("use crate::c;\n")
    (tmp_path / "c.rs").write_text("use std::fmt;\nuse crate::{a::X, d};\n")
    (tmp_path / "d.rs").write_text("use crate::a::Y;\n")
    assert cycles(module_graph(tmp_path)) == [["a", "b", "c", "d"]]
    (tmp_path / "c.rs").write_text("")
    assert cycles(module_graph(tmp_path)) == []
