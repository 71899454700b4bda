"""Inside query and orm nothing imports in circles, and other packages come in by the doors only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "query": ROOT / "packages/query/src/data_bridge/query",
    "orm": ROOT / "packages/orm/src/data_bridge/orm",
}
DEFERRED = {"query": 8, "orm": 2}
"""Imports inside functions, also of the standard library, which are there for start-up time. A number may only fall."""
DOORS = {
    "query": {"", "types", "ddl", "catalog", "spi", "spi.build", "spi.clauses", "spi.read", "spi.table_names"},
    # mypy imports its plugin, the fixtures ask for the tables that there are.
    "orm": {"", "mypy", "registry"},
}
CLIENTS = {
    "query": ["packages/orm/src", "packages/migrate/src", "packages/testing/src"],
    "orm": ["packages/orm/src/data_bridge/postgres", "packages/migrate/src", "packages/testing/src"],
}
# The names of operators are those of a module of the façade.
BESIDE = {("packages/orm/src/data_bridge/postgres/operators.py", "persistence.operators")}


def module_of(package: str, path: Path) -> str:
    """`statements.select` for …/query/statements/select.py, an empty text for the package itself."""
    return ".".join(path.relative_to(PACKAGES[package]).with_suffix("").parts).removesuffix("__init__").rstrip(".")


@cache
def modules(package: str) -> dict[str, Path]:
    return {module_of(package, path): path for path in sorted(PACKAGES[package].rglob("*.py"))}


def _inside(tree: ast.Module) -> tuple[set[int], set[int]]:
    """The nodes that only checkers see, and those inside of functions."""
    checked: set[int] = set()
    deferred: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            checked.update(id(inner) for statement in node.body for inner in ast.walk(statement))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            deferred.update(id(inner) for inner in ast.walk(node))
    return checked, deferred


def _named(node: ast.stmt, package: str, folder: tuple[str, ...]) -> Iterator[str]:
    """The dotted names, inside of the package, that a statement imports."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            if (alias.name + ".").startswith(f"data_bridge.{package}."):
                yield alias.name.removeprefix(f"data_bridge.{package}").lstrip(".")
    elif isinstance(node, ast.ImportFrom):
        if node.level:
            base = ".".join([*folder[: len(folder) - node.level + 1], *filter(None, [node.module])])
        elif ((node.module or "") + ".").startswith(f"data_bridge.{package}."):
            base = (node.module or "").removeprefix(f"data_bridge.{package}").lstrip(".")
        else:
            return
        for alias in node.names:
            yield f"{base}.{alias.name}".lstrip(".")


def imports(package: str, name: str, text: str, *, is_package: bool) -> Iterator[tuple[ast.stmt, str, bool]]:
    """(statement, module, whether inside a function) of everything that runs."""
    tree = ast.parse(text)
    checked, deferred = _inside(tree)
    folder = tuple(filter(None, name.split(".")))
    folder = folder if is_package else folder[:-1]
    for node in ast.walk(tree):
        if id(node) in checked or not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        for dotted in _named(node, package, folder):
            module = dotted
            while module and module not in modules(package):
                module = module.rpartition(".")[0]
            if module != name:
                yield node, module, id(node) in deferred


def edges(package: str) -> Iterator[tuple[str, ast.stmt, str, bool]]:
    for name, path in modules(package).items():
        for node, module, deferred in imports(package, name, path.read_text(), is_package=path.name == "__init__.py"):
            yield name, node, module, deferred


def cycle(graph: dict[str, set[str]]) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        return found
    return []


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_imports_itself_by_way_of_others(package: str) -> None:
    graph: dict[str, set[str]] = {}
    for name, _, module, _ in edges(package):
        graph.setdefault(name, set()).add(module)
    assert len(graph) > 30
    assert cycle(graph) == [], "imports inside functions count, too"


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_inside_functions_are_few_and_say_that_they_are_for_start_up_time(package: str) -> None:
    found: list[str] = []
    for name, path in modules(package).items():
        text = path.read_text()
        tree, lines = ast.parse(text), text.splitlines()
        _, deferred = _inside(tree)
        for node in ast.walk(tree):
            if id(node) in deferred and isinstance(node, ast.Import | ast.ImportFrom):
                place = f"{name}:{node.lineno}"
                said = lines[node.lineno - 2].strip() + lines[node.lineno - 1].partition("  ")[2]
                assert "# For start-up time" in said, f"{place}: say that, or import it at the top"
                found.append(place)
    assert len(found) == DEFERRED[package], found


def test_a_planted_cycle_is_found() -> None:
    text = "def f():\n    from data_bridge.orm.models.table import Table\n"
    ((_, module, deferred),) = imports("orm", "mapping.column", text, is_package=False)
    assert (module, deferred) == ("models.table", True)
    assert cycle({"mapping.column": {module}, "models.table": {"mapping.column"}}) != []
    ((_, module, deferred),) = imports("query", "ddl.tables", "from ..statements import select", is_package=False)
    assert (module, deferred) == ("statements.select", False)


@pytest.mark.parametrize("package", PACKAGES)
def test_other_packages_come_in_by_the_doors(package: str) -> None:
    strays: list[str] = []
    for client in CLIENTS[package]:
        root = ROOT / client
        for path in sorted(root.rglob("*.py")):
            if package == "orm" and PACKAGES["orm"] in path.parents:
                continue
            place = path.relative_to(ROOT).as_posix()
            for node in ast.walk(ast.parse(path.read_text())):
                if not isinstance(node, ast.Import | ast.ImportFrom) or getattr(node, "level", 0):
                    continue
                for dotted in _named(node, package, ()):
                    module = dotted
                    while module and module not in modules(package):
                        module = module.rpartition(".")[0]
                    if module not in DOORS[package] and (place, module) not in BESIDE:
                        strays.append(f"{place}:{node.lineno}: data_bridge.{package}.{module}")
    assert strays == []
