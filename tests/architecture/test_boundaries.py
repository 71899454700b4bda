"""The namespace has no root package, imports point down, and nobody reaches into another package's private names."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = {
    "core": ROOT / "packages/core-rs/python",
    "query": ROOT / "packages/query/src",
    "orm": ROOT / "packages/orm/src",
    "migrate": ROOT / "packages/migrate/src",
    "testing": ROOT / "packages/testing/src",
}
ALLOWED = {
    "core": {"core"},
    "query": {"query", "core"},
    "migrate": {"migrate", "query", "core"},
    "orm": {"orm", "query", "core"},
    "postgres": {"postgres", "orm", "migrate", "query", "core"},
    "testing": {"testing", "core", "orm", "migrate", "query", "postgres"},
}
THIRD_PARTY = {
    "core": set[str](),
    "query": set[str](),
    "migrate": set[str](),
    # pydantic, and what every pydantic brings
    "orm": {"pydantic", "pydantic_core", "annotated_types", "typing_extensions"},
    "postgres": set[str](),
    "testing": {"pytest", "_pytest", "hypothesis"},
}
# The reader and the quoter of SQL text, which core has no public name for yet.
SQL_TEXT = {
    f"data_bridge.core._native.{name}" for name in ("first_word", "quote_identifier", "quote_literal", "tokenize")
}
# Who imports these brings what they import: mypy its plugin, an application the framework of an extra.
BROUGHT = {
    "packages/orm/src/data_bridge/orm/mypy.py": {"mypy"},
    "packages/orm/src/data_bridge/postgres/admin/": {"starlette_admin", "starlette", "pydantic", "pydantic_core"},
    "packages/orm/src/data_bridge/postgres/fastapi/": {"fastapi", "starlette", "pydantic"},
    "packages/orm/src/data_bridge/postgres/notebook/": {"pydantic"},
    "packages/orm/src/data_bridge/postgres/otel/": {"opentelemetry"},
    "packages/orm/src/data_bridge/postgres/shell/": {"IPython", "traitlets"},
}


def modules() -> Iterator[Path]:
    for source in SOURCES.values():
        yield from sorted(source.rglob("*.py"))


def part_of(path: Path) -> str:
    """`orm` for …/data_bridge/orm/table.py."""
    parts = path.parts
    return parts[parts.index("data_bridge") + 1]


def imports(tree: ast.AST) -> Iterator[tuple[ast.stmt, str, bool]]:
    """(statement, dotted name, whether it is lazy: inside a function or for the type checker)."""
    lazy: set[int] = set()
    for node in ast.walk(tree):
        checking = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        if checking or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lazy.update(id(inner) for inner in ast.walk(node))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node, alias.name, id(node) in lazy
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            for alias in node.names:
                yield node, f"{node.module}.{alias.name}", id(node) in lazy


def crossings(path: Path, tree: ast.AST) -> Iterator[str]:
    """What this file may not do."""
    here = part_of(path)
    for node, name, lazy in imports(tree):
        place = f"{path.relative_to(ROOT)}:{node.lineno}"
        head, *rest = name.split(".")
        if head != "data_bridge":
            file = path.relative_to(ROOT).as_posix()
            known = THIRD_PARTY[here].union(*(names for place_, names in BROUGHT.items() if file.startswith(place_)))
            if head not in sys.stdlib_module_names and head not in known:
                yield f"{place}: {here} may not depend on {head}"
            continue
        there = rest[0]
        if there not in ALLOWED[here]:
            yield f"{place}: {here} may not import data_bridge.{there}"
        if here == "testing" and there in ("orm", "migrate", "query", "postgres") and not lazy:
            yield f"{place}: testing reaches {there} only inside functions"
        private = [part for part in rest[1:] if part.startswith("_") and not part.startswith("__")]
        if there != here and private and name not in SQL_TEXT:
            yield f"{place}: {name} is private to data_bridge.{there}"


def test_nothing_stands_at_the_root_of_the_namespace() -> None:
    strays = [
        str(entry.relative_to(ROOT))
        for source in SOURCES.values()
        for entry in (source / "data_bridge").iterdir()
        if entry.is_file()
    ]
    assert strays == [], "a file here hides the other parts of the namespace"


def test_only_data_bridge_stands_in_the_source_folders() -> None:
    strays = [str(entry) for source in SOURCES.values() for entry in source.iterdir() if entry.name != "data_bridge"]
    assert [stray for stray in strays if not stray.endswith((".egg-info", "__pycache__"))] == []


def test_the_namespace_is_implicit() -> None:
    code = "import data_bridge; assert data_bridge.__file__ is None; print(len(list(data_bridge.__path__)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert int(done.stdout) == len(SOURCES)


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_every_part_is_marked_as_typed(source: Path) -> None:
    for part in (source / "data_bridge").iterdir():
        assert (part / "py.typed").is_file(), f"{part} has no py.typed"


def test_imports_point_down_and_stay_public() -> None:
    problems = [problem for path in modules() for problem in crossings(path, ast.parse(path.read_text(), str(path)))]
    assert problems == []


@pytest.mark.parametrize(
    ("part", "line"),
    [
        ("query", "import pydantic"),
        ("query", "from data_bridge.orm import Table"),
        ("orm", "from data_bridge.migrate import Migration"),
        ("orm", "from data_bridge.core._native import compile_ir"),
        ("orm", "from data_bridge.query import _nodes"),
        ("core", "from data_bridge.testing import EmbeddedServer"),
        ("testing", "from data_bridge.orm import Table"),
        ("migrate", "import asyncpg"),
    ],
)
def test_the_rule_finds_what_is_planted(part: str, line: str) -> None:
    path = SOURCES["orm" if part == "postgres" else part] / "data_bridge" / part / "planted.py"
    assert len(list(crossings(path, ast.parse(line)))) == 1


def test_lazy_imports_of_testing_are_allowed() -> None:
    path = SOURCES["testing"] / "data_bridge" / "testing" / "planted.py"
    assert list(crossings(path, ast.parse("def f():\n    from data_bridge.orm import Table"))) == []


def test_the_import_linter_agrees() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout


def test_no_file_is_too_long() -> None:
    limit = 450
    tests = list(ROOT.glob("packages/*/tests"))
    folders = [*SOURCES.values(), ROOT / "packages/core-rs/crates", ROOT / "tests", *tests]
    files = [path for folder in folders for pattern in ("*.py", "*.rs") for path in folder.rglob(pattern)]
    long = {
        str(path.relative_to(ROOT)): count for path in files if (count := len(path.read_text().splitlines())) > limit
    }
    assert long == {}, "one noun per file: split it"


def test_there_are_no_catch_all_modules() -> None:
    names = {"utils", "util", "helpers", "helper", "common", "misc"}
    assert [str(path) for path in modules() if path.stem in names] == []
