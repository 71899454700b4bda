"""What orm still knows of the insides of query: attributes with an underscore and positions in structures."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
QUERY = ROOT / "packages/query/src/data_bridge/query"
ORM = ROOT / "packages/orm/src/data_bridge/orm"
HOOKS = {"_copy", "_inside", "_names", "_narrow"}
"""What subclasses of Select and makers of common table expressions override."""
SELECT = {
    *("_columns", "_source", "_sources", "_where", "_where_p", "_order", "_order_p", "_limit", "_offset", "_extras"),
    *("_ctes", "_groups", "_part", "_made", "_add", "_with_extra", "_appended"),
}
"""What a Select, a Query and a Source have."""
TAGS = {
    *(
        "select",
        "insert",
        "update",
        "delete",
        "compound",
        "text",
        "col",
        "cols",
        "label",
        "call",
        "agg",
        "over",
        "case",
    ),
    *("query", "subquery", "exists", "row", "in", "not in", "is", "and", "or", "not", "neg", "=", "<>", "<", ">", "$"),
    *("null", "true", "false", "raw", "table", "func", "values", "unnest", "rows", "joins", "inner", "left", "cross"),
    *("from", "using", "conflict", "locking", "asc", "desc", "ordinal", "columns", "constraint"),
}
NOT_STRUCTURES = {
    # Keys of caches, names of clauses, kinds of joins.
    "persistence/single_row.py": 2,
    "queries/projection.py": 1,
    "queries/builder.py": 2,
    "queries/dml.py": 2,
}


def trees(folder: Path) -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(folder.rglob("*.py")):
        yield path.relative_to(folder).as_posix(), ast.parse(path.read_text())


def private_names(folder: Path) -> set[str]:
    """The attributes and methods of classes that begin with one underscore."""
    found: set[str] = set()
    for _, tree in trees(folder):
        for cls in ast.walk(tree):
            if not isinstance(cls, ast.ClassDef):
                continue
            for node in cls.body:
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    found.add(node.name)
                elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                    found.add(node.target.id)
                elif isinstance(node, ast.Assign) and "__slots__" in ast.unparse(node.targets[0]):
                    found |= {c.value for c in ast.walk(node.value) if isinstance(c, ast.Constant)}
    return {name for name in found if name.startswith("_") and not name.startswith("__")}


def touched(tree: ast.Module, names: set[str]) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in names:
            yield node.lineno


def written(tree: ast.Module) -> Iterator[int]:
    """The lines with a tuple that begins with a tag of the statement tree."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Tuple) and len(node.elts) > 1 and isinstance(node.ctx, ast.Load):
            first = node.elts[0]
            if isinstance(first, ast.Constant) and first.value in TAGS | {"distinct", "distinct_on"}:
                yield node.lineno


def sliced(tree: ast.Module) -> Iterator[int]:
    """The lines that take a structure apart: `ir[2]`, `statement.ir[:4]`, `column.s[1]`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
            value = node.value
            name = value.attr if isinstance(value, ast.Attribute) else getattr(value, "id", "")
            at = node.slice
            if name in ("ir", "_ir", "s") and isinstance(at, ast.Slice | ast.Constant | ast.UnaryOp):
                yield node.lineno


def test_orm_touches_no_private_attribute_of_query() -> None:
    names = private_names(QUERY) - private_names(ORM) - HOOKS
    assert SELECT <= names, "classes of orm call something of their own the same: this test cannot tell them apart"
    assert [f"{name}:{line}" for name, tree in trees(ORM) for line in touched(tree, names)] == []


def test_orm_writes_no_structure_by_hand() -> None:
    found: dict[str, int] = {}
    for name, tree in trees(ORM):
        for _ in written(tree):
            found[name] = found.get(name, 0) + 1
    assert found == NOT_STRUCTURES, "build it with data_bridge.query.spi.build"


def test_orm_takes_no_structure_apart() -> None:
    assert [f"{name}:{line}" for name, tree in trees(ORM) for line in sliced(tree)] == [], "read it with spi.read"


def test_planted_surgery_is_found() -> None:
    tree = ast.parse("x = ('col', 't', 'n')\ny = statement.ir[:4]\nz = query._where")
    assert list(written(tree)) == [1]
    assert list(sliced(tree)) == [2]
    assert list(touched(tree, {"_where"})) == [3]


QUOTES = ("""replace('"', '""')""", """replace("'", "''")""")


def test_nobody_quotes_by_hand() -> None:
    """Identifiers and literals are written by core, which knows every way to break out of them."""
    found = [
        path.relative_to(ROOT).as_posix()
        for folder in (QUERY, ORM)
        for path in folder.rglob("*.py")
        if any(quote in path.read_text() for quote in QUOTES)
    ]
    assert found == [], "call data_bridge.core.quote_identifier or quote_literal"
