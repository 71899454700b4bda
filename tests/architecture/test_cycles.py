"""The modules of a package import each other in one direction; imports inside functions are only for start-up time."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {name: ROOT / f"packages/{name}/src/data_bridge/{name}" for name in ("migrate", "testing")}
COMMENT = "start-up time"


class Import(NamedTuple):
    """One import of a module of the same package."""

    importer: str
    imported: str
    line: int
    is_lazy: bool


def name_of(path: Path, folder: Path) -> str:
    parts = ["data_bridge", folder.name, *path.relative_to(folder).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def targets(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports inside a package are absolute: a reader sees the folder"
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imports(name: str, text: str, modules: set[str]) -> Iterator[Import]:
    tree = ast.parse(text)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    lazy = {id(inner) for function in functions for inner in ast.walk(function)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        for target in targets(node):
            found = target if target in modules else target.rpartition(".")[0]
            if found in modules and found != name:
                yield Import(name, found, node.lineno, id(node) in lazy)


def imports_of(package: str) -> list[Import]:
    folder = PACKAGES[package]
    files = {name_of(path, folder): path for path in sorted(folder.rglob("*.py"))}
    return [found for name, path in files.items() for found in imports(name, path.read_text(), set(files))]


def cycles(edges: list[Import]) -> list[list[str]]:
    """The strongly connected components of more than one module (Tarjan's algorithm)."""
    graph: dict[str, list[str]] = {}
    for edge in edges:
        graph.setdefault(edge.importer, []).append(edge.imported)
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in graph.get(name, ()):
            if other not in index:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], index[other])
        if low[name] == index[name]:
            component = stack[stack.index(name) :]
            del stack[stack.index(name) :]
            if len(component) > 1:
                found.append(sorted(component))

    for name in list(graph):
        if name not in index:
            visit(name)
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_imports_itself_through_others(package: str) -> None:
    """Imports for the type checker and imports inside functions count as well."""
    assert cycles(imports_of(package)) == []


# Modules at the root of a package that documentation or an entry point names; any other is `_private` or in a folder whose
# `__init__` names what is public.
PUBLIC_MODULES = {
    "migrate": {"__init__"},
    "testing": {"__init__", "__main__", "command", "dsn", "errors", "migrations", "plugin", "proxy"},
}


@pytest.mark.parametrize("package", PACKAGES)
def test_modules_at_the_root_are_public_or_marked_private(package: str) -> None:
    root = {path.stem for path in PACKAGES[package].glob("*.py")}
    assert {name for name in root if not name.startswith("_") or name.startswith("__")} == PUBLIC_MODULES[package]


@pytest.mark.parametrize("package", PACKAGES)
def test_folders_name_what_is_public(package: str) -> None:
    folders = {path.parent for path in PACKAGES[package].rglob("*.py")}
    missing = [str(folder) for folder in folders if "__all__" not in (folder / "__init__.py").read_text()]
    assert missing == []


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_inside_functions_say_that_they_are_for_start_up_time(package: str) -> None:
    folder = PACKAGES[package]
    unexplained: list[str] = []
    for path in sorted(folder.rglob("*.py")):
        lines = path.read_text().splitlines()
        tree = ast.parse(path.read_text())
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        places = {
            inner.lineno
            for function in functions
            for inner in ast.walk(function)
            if isinstance(inner, ast.Import | ast.ImportFrom)
        }
        # testing reaches the upper packages only inside of functions, because a project may lack them
        unexplained += [
            f"{path.relative_to(ROOT)}:{line}"
            for line in sorted(places)
            if COMMENT not in lines[line - 1] + lines[line - 2]
            and not (package == "testing" and "data_bridge.testing" not in lines[line - 1])
        ]
    assert unexplained == []


def test_a_planted_cycle_is_found() -> None:
    modules = {"p.a", "p.b", "p.c"}
    texts = {"p.a": "from p.b import x", "p.b": "def f():\n    from p import c", "p.c": "import p.a"}
    edges = [edge for name, text in texts.items() for edge in imports(name, text, modules)]
    assert cycles(edges) == [["p.a", "p.b", "p.c"]]
    assert [edge.is_lazy for edge in edges] == [False, True, False]
