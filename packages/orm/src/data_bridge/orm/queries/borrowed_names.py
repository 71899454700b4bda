"""Names that other libraries have for what is called otherwise here: they work where they mean the same, or name the spelling.

Only what a class, a row or a query does not have is looked up, so that fields and methods of a user's own may have these names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from data_bridge.orm.persistence.operators import CurrentDate, Inc, Operator


class Borrowed(NamedTuple):
    """A name of another library."""

    spelling: str
    """What is written here."""
    same: str | Callable[[Any], Any] | None = None
    """The attribute that means the same, or what makes one; None where the meaning differs."""


def _with(operator: type[Operator]) -> Callable[[Any], Any]:
    """A method that passes its values to update() in this operator."""

    def method(owner: Any) -> Any:
        def update(values: Mapping[Any, Any], **options: Any) -> Any:
            return owner.update(operator(values), **options)

        return update

    return method


ON_CLASS: Mapping[str, Borrowed] = {
    # Beanie
    "insert_one": Borrowed("{T}.insert(row)", "insert"),
    "find_many": Borrowed("{T}.find(…)", "find"),
    "replace_many": Borrowed("{T}.bulk_update(rows)"),
    "aggregate": Borrowed("{T}.find().group_by(…).aggregate(n=func.count())"),
    "get_settings": Borrowed("{T}.Settings"),
    "get_pymongo_collection": Borrowed("{T}.raw(sql) or fetch(sql, as_={T})"),
    "get_collection_name": Borrowed("{T}.Settings.name"),
    "get_bson_encoders": Borrowed("a field with a Pydantic serialiser"),
    "use_state_management": Borrowed("row.is_changed: changes are always tracked"),
    "get_link_fields": Borrowed("{T}.model_fields and the relations of the class body"),
    "link_from_id": Borrowed("the key itself: {T}(link=key)"),
    "bulk_writer": Borrowed("await {T}.insert_many(rows) and await {T}.bulk_update(rows)"),
    "get_motor_collection": Borrowed("{T}.raw(sql) or fetch(sql, as_={T})"),
    "inspect_collection": Borrowed("await {T}.check_schema()"),
    # SQLModel, SQLAlchemy
    "metadata": Borrowed("create_all({T})"),
    "query": Borrowed("{T}.find(…)"),
    "select": Borrowed("{T}.find(…), or {T}.find().select({T}.column) for some of the columns"),
    "where": Borrowed("{T}.find(…)", "find"),
    "filter_by": Borrowed("{T}.find(name=value)", "find"),
    "order_by": Borrowed("{T}.find().order_by(…)"),
    "limit": Borrowed("{T}.find().limit(n)"),
    # Django, Tortoise
    "objects": Borrowed("{T}.find(…)"),
    "filter": Borrowed("{T}.find(…)", "find"),
    "exclude": Borrowed("{T}.find(~condition)"),
    "first": Borrowed("await {T}.find().first()"),
    "bulk_create": Borrowed("await {T}.insert_many(rows)", "insert_many"),
    "in_bulk": Borrowed("await {T}.get_many(keys)", "get_many"),
}

ON_ROW: Mapping[str, Borrowed] = {
    # Beanie
    "set": Borrowed("await row.update({{{T}.column: value}})", "update"),
    "inc": Borrowed("await row.update(Inc({{{T}.column: 1}}))", _with(Inc)),
    "current_date": Borrowed("await row.update(CurrentDate({{{T}.column: True}}))", _with(CurrentDate)),
    "sync": Borrowed("await row.refresh()", "refresh"),
    "rollback": Borrowed("row.discard_changes()", "discard_changes"),
    "fetch_link": Borrowed('await row.fetch("link")', "fetch"),
    "get_saved_state": Borrowed("row.get_previous_changes()"),
    "get_previous_saved_state": Borrowed("row.get_previous_changes()"),
    "has_changed": Borrowed("row.is_changed"),
    "is_modified": Borrowed("row.is_changed"),
    "save_state": Borrowed("nothing: changes are always tracked"),
    "swap_revision": Borrowed("nothing: save() counts the revision"),
    "to_ref": Borrowed("the row itself, or row.pk"),
    "unset": Borrowed("await row.update({{{T}.column: None}})"),
    "is_saved": Borrowed("row.pk is not None"),
    # SQLAlchemy, SQLModel
    "add": Borrowed("await row.save()"),
    "commit": Borrowed("await row.save()"),
    # Django, Tortoise
    "asave": Borrowed("await row.save()", "save"),
    "adelete": Borrowed("await row.delete()", "delete"),
    "refresh_from_db": Borrowed("await row.refresh()", "refresh"),
    "arefresh_from_db": Borrowed("await row.refresh()", "refresh"),
    "fetch_related": Borrowed('await row.fetch("link")', "fetch"),
    "update_from_dict": Borrowed("await row.update(values)"),
}

ON_QUERY: Mapping[str, Borrowed] = {
    # Beanie
    "find_many": Borrowed("find(…)", "find"),
    "find_one": Borrowed("find(…).first()"),
    "sort": Borrowed("order_by(…)", "order_by"),
    "skip": Borrowed("offset(n)", "offset"),
    "set": Borrowed("update({{{T}.column: value}})", "update"),
    "inc": Borrowed("update(Inc({{{T}.column: 1}}))", _with(Inc)),
    "current_date": Borrowed("update(CurrentDate({{{T}.column: True}}))", _with(CurrentDate)),
    "upsert": Borrowed('await {T}.upsert(row, conflict=["column"])'),
    "unset": Borrowed("update({{{T}.column: None}})"),
    "aggregation_pipeline": Borrowed("group_by(…).aggregate(n=func.count())"),
    "update_many": Borrowed("update(…)", "update"),
    "update_one": Borrowed("limit(1).update(…)"),
    "delete_many": Borrowed("delete()", "delete"),
    "delete_one": Borrowed("limit(1).delete()"),
    # SQLModel, SQLAlchemy
    "filter": Borrowed("find(…)", "find"),
    "filter_by": Borrowed("find(name=value)", "find"),
    "all": Borrowed("await query, or await query.to_list()", "to_list"),
    "get": Borrowed("await {T}.get(key)"),
    "scalar_one": Borrowed("await query.scalars({T}.column).one()"),
    "options": Borrowed("fetch_links({T}.link)"),
    # Django, Tortoise
    "exclude": Borrowed("find(~condition)"),
    "values_list": Borrowed("tuples(…), or scalars(column) for one column"),
    "annotate": Borrowed("tuples({T}, expression.label(name))"),
    "select_related": Borrowed("fetch_links({T}.link)"),
    "prefetch_related": Borrowed("fetch_links({T}.link)"),
}

ON_FIND_ONE: Mapping[str, Borrowed] = {
    "update": Borrowed("{T}.find(…).limit(1).update(…), or await row.update(…) of the row"),
    "set": Borrowed("{T}.find(…).limit(1).update({{{T}.column: value}})"),
    "inc": Borrowed("{T}.find(…).limit(1).update(Inc({{{T}.column: 1}}))"),
    "delete": Borrowed("{T}.find(…).limit(1).delete(), or await row.delete() of the row"),
    "upsert": Borrowed('await {T}.upsert(row, conflict=["column"])'),
    "replace_one": Borrowed("await row.replace()"),
    "project": Borrowed("await {T}.find(…).project(Model).first()"),
    "fetch_links": Borrowed("await {T}.find_one(…, fetch_links=True)"),
}

KEYWORDS: Mapping[str, str] = {
    # of Beanie's find() and find_one()
    "projection_model": "{T}.find(…).project(Model)",
    "skip": "{T}.find(…).offset(n)",
    "limit": "{T}.find(…).limit(n)",
    "sort": "{T}.find(…).order_by(…)",
    "session": "find(…).using(tx), or pg_transaction() around it",
    "ignore_cache": "nothing: rows are not cached",
    "with_children": "nothing: a table has the rows of one class",
    "lazy_parse": "nothing: rows become instances while they arrive",
    "nesting_depth": "{T}.find(…).fetch_links(depth=2)",
    "nesting_depths_per_field": "{T}.find(…).fetch_links({T}.link.link)",
}

FIELD_OPTIONS = frozenset({"primary_key", "foreign_key", "unique", "index", "nullable", "sa_type", "sa_column", "sa_column_args",
                           "sa_column_kwargs", "ondelete", "pk", "db_index"})  # fmt: skip
"""Options of other libraries' Field(), which Pydantic's takes for parts of the JSON schema."""

CLASS_NAMES: Mapping[str, str] = {
    "__tablename__": 'class Settings: name = "…"',
    "__table_args__": "class Settings: constraints = […] and indexes = […]",
    "__collection__": 'class Settings: name = "…"',
}
META = frozenset(
    {"table", "tablename", "db_table", "abstract", "ordering", "unique_together", "indexes", "schema", "app_label"}
)


def found(names: Mapping[str, Borrowed], owner: Any, name: str, table: str, what: str) -> Any:
    """What a name of another library means here; None for a name that none has.

    Raises:
        AttributeError: where the meaning differs, with the spelling.
    """
    known = names.get(name)
    if known is None:
        return None
    if known.same is None:
        raise AttributeError(f"{what} has no {name!r}: write {known.spelling.format(T=table)}")
    return getattr(owner, known.same) if isinstance(known.same, str) else known.same(owner)


class _OnQuery:
    """A name of another library on a query. Not __getattr__, which slows every attribute of a query down."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, query: Any, _: Any = None) -> Any:
        if query is None:
            return self
        label: str = query._entity.label
        return found(ON_QUERY, query, self._name, label, f"a query of {label}")


def lend_names(cls: type[Any]) -> None:
    """Gives a class of queries the names of other libraries."""
    for name in ON_QUERY:
        setattr(cls, name, _OnQuery(name))
