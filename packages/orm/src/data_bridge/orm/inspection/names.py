"""Names of classes and attributes, made from the names of tables and columns."""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection, Container, Iterable

from data_bridge.query import TableDef, ViewDef
from data_bridge.query.catalog import Schema

__all__ = ["attribute_name", "class_name", "free", "plural", "singular", "table_names"]

_VOWELS = frozenset("aeiou")
_IRREGULAR = {"people": "person", "children": "child", "men": "man", "women": "woman", "indices": "index"}
_UNCHANGED = ("ss", "us", "is", "data", "news", "series", "species", "settings")


def singular(word: str) -> str:
    """An English noun without its plural; a word that has none stays as it is.

    >>> [singular(word) for word in ("users", "order_lines", "categories", "boxes", "addresses", "status")]
    ['user', 'order_line', 'category', 'box', 'address', 'status']
    """
    start, _, last = word.rpartition("_")
    before = f"{start}_" if start else ""
    if last in _IRREGULAR:
        return before + _IRREGULAR[last]
    if not last.endswith("s") or last.endswith(_UNCHANGED) or len(last) < 3:
        return word
    if last.endswith("ies") and len(last) > 4:
        return f"{before}{last[:-3]}y"
    # "statuses" has one in "us", "houses" and "causes" have not.
    if last.endswith(("sses", "shes", "ches", "xes", "zes")) or re.search(r"[^ao]uses$", last):
        return before + last[:-2]
    return before + last[:-1]


def plural(word: str) -> str:
    """An English noun in its plural.

    >>> [plural(word) for word in ("user", "category", "box", "day", "settings")]
    ['users', 'categories', 'boxes', 'days', 'settings']
    """
    start, _, last = word.rpartition("_")
    before = f"{start}_" if start else ""
    inverse = {one: many for many, one in _IRREGULAR.items()}
    if last in inverse:
        return before + inverse[last]
    if last.endswith(("s", "x", "z", "ch", "sh")):
        return word if singular(last) != last or last in _UNCHANGED else f"{word}es"
    if last.endswith("y") and last[-2:-1] not in _VOWELS:
        return f"{word[:-1]}ies"
    return f"{word}s"


def table_names(schema: Schema, table: TableDef | ViewDef) -> tuple[str, str]:
    """How a user may call a table: without its schema, and with it."""
    return table.name, f"{table.schema or schema.default_schema}.{table.name}"


def class_name(table: str) -> str:
    """The name of the class for a table.

    >>> class_name("order_lines"), class_name("User"), class_name("2fa codes")
    ('OrderLine', 'User', 'Table2faCode')
    """
    words = [w for w in re.split(r"[\W_]+", singular(table) if table == table.lower() else table) if w]
    made = "".join(w[0].upper() + w[1:] for w in words) or "Unnamed"
    made = singular(made) if len(words) > 1 and table == table.lower() else made
    return f"Table{made}" if made[0].isdigit() or keyword.iskeyword(made) else made


def attribute_name(column: str, reserved: Container[str]) -> str:
    """The name of the field for a column: the column's own where Python and the class allow it.

    >>> attribute_name("age", ()), attribute_name("class", ()), attribute_name("2nd Line", ()), attribute_name("_id", ())
    ('age', 'class_', 'field_2nd_line', 'id_')
    """
    made = column if column.isidentifier() else re.sub(r"\W+", "_", column).strip("_").lower() or "unnamed"
    if made.startswith("_"):
        made = made.strip("_") + "_"
    if made[0].isdigit():
        made = f"field_{made}"
    return f"{made}_" if keyword.iskeyword(made) or made in reserved or made.startswith("model_") else made


def free(wanted: Iterable[str], taken: Collection[str]) -> str:
    """The first of these names that is not taken; else the last one with a number behind it.

    >>> free(["posts", "author_posts"], {"posts"}), free(["posts"], {"posts"})
    ('author_posts', 'posts_2')
    """
    name = ""
    for name in wanted:
        if name not in taken:
            return name
    number = 2
    while f"{name}_{number}" in taken:
        number += 1
    return f"{name}_{number}"
