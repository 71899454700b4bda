"""Every name that the public contract promises is there, with the parameters it promises."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

import data_bridge.postgres as facade
from data_bridge.postgres import IdMixin, ManyToMany, Page, QueryBuilder, SoftDeleteMixin, Table, operators

NAMES = """
    init close get_database is_connected Database execute fetch fetch_one fetch_val execute_script stream copy_in copy_out notify listen
    Notification Gap register_type Observer add_observer remove_observer QueryStarted QueryFinished PoolStats use_database
    pg_transaction begin_transaction transaction_attempts detached current_transaction on_commit Transaction TransactionBlock
    Savepoint IsolationLevel
    Col Column Expr ColumnProxy func and_ or_ not_ col any_ excluded case exists literal sql aliased optional
    Table IdMixin UUIDMixin TimestampMixin SoftDeleteMixin create_all drop_all Index Unique Check ForeignKey Exclude Conflict Upserted
    before_event after_event after_commit Insert Update Save Delete Replace Load BulkUpdate BulkDelete
    Link Linked BackLink ManyToMany QueryBuilder Page
    Migration run_migrations get_migration_status MigrationStatus AppliedMigration Plan
    DataBridgeError NotInitialized ConfigurationError IncompatibleCore ConnectError ConnectionLost CommitUnknown PoolTimeout QueryTimeout
    QueryCancelled RowNotFound MultipleRowsFound NotSaved AlreadySaved RevisionConflict ColumnNotLoaded LinkNotLoaded UnfilteredWrite
    TransactionClosed TransactionAborted CompileError EncodeError DecodeError MigrationError MigrationLocked MigrationModified
    IrreversibleMigration MigrationConflict DatabaseError IntegrityError UniqueViolation ForeignKeyViolation NotNullViolation
    CheckViolation ExclusionViolation SerializationFailure DeadlockDetected LockNotAvailable UndefinedTable UndefinedColumn
    SyntaxOrAccessError ReadOnlyError ServerResourceError
""".split()
TABLE = {
    "pk": "", "save": "only force tx", "insert": "tx", "create": "tx", "update": "tx", "replace": "tx", "delete": "tx",
    "refresh": "keep_changes for_update tx", "lock": "nowait skip_locked", "is_changed": "", "get_changes": "",
    "get_previous_changes": "", "discard_changes": "", "save_changes": "", "mark_changed": "", "get": "pk for_update fetch_links tx",
    "get_or_none": "pk tx", "find_one": "fetch_links tx", "get_many": "pks", "get_or_create": "defaults",
    "update_or_create": "defaults", "find": "fetch_links", "find_all": "", "all": "", "count": "", "exists": "", "distinct": "column",
    "insert_many": "rows on_conflict batch_size returning tx progress", "bulk_update": "rows fields", "upsert": "row conflict update",
    "upsert_many": "", "update_all": "", "delete_all": "", "create_table": "", "drop_table": "", "ddl": "", "using": "",
    "raw": "sql params", "input_model": "name exclude optional", "insert_from": "columns", "merge": "on", "fetch": "",
    "fetch_all_links": "", "check_schema": "",
}  # fmt: skip
QUERY = {
    "find": "", "where": "", "order_by": "", "limit": "n", "offset": "n", "select": "", "only": "", "join": "table on how", "values": "",
    "tuples": "", "scalars": "", "project": "", "batches": "", "by_pk_batches": "", "distinct": "", "distinct_on": "", "group_by": "",
    "having": "", "aggregate": "", "sum": "", "avg": "", "min": "", "max": "", "union": "", "intersect": "", "except_": "",
    "cte": "name recursive all materialized", "subquery": "name lateral", "for_update": "nowait skip_locked of", "returning": "",
    "using": "", "timeout": "", "tag": "", "fetch_links": "depth", "to_list": "", "first": "", "one": "", "one_or_none": "", "count": "",
    "exists": "", "update": "", "delete": "", "page": "number size total", "paginate": "size after before", "sql": "",
    "explain": "analyze format", "update_query": "", "delete_query": "", "tablesample": "", "with_ties": "", "__await__": "", "__aiter__": "",
    "stream": "",
}  # fmt: skip
MANY = "add remove clear set has count find".split()
MANY_PATH = "any none count order_by limit find".split()
LINKED = "pk is_loaded __await__".split()
EXPR = """in_ not_in between is_null is_not_null is_distinct_from like ilike startswith endswith contains istartswith iendswith icontains
    regex asc desc label cast has_key has_any has_all path any_ overlaps length __getitem__""".split()
OPERATORS = "Set Inc Mul Min Max Push Pull".split()
SETTINGS = "name schema primary_key indexes constraints abstract using use_revision validate_on_save validate_on_load comment grants policies renamed_from row_security triggers view".split()


def parameters(owner: Any, name: str, wanted: str) -> None:
    member = inspect.getattr_static(owner, name)
    assert member is not None
    if wanted:
        known = inspect.signature(getattr(owner, name)).parameters
        missing = [p for p in wanted.split() if p not in known]
        assert not missing, f"{owner.__name__}.{name}() lacks {missing}"


@pytest.mark.parametrize("name", NAMES)
def test_the_facade_has(name: str) -> None:
    assert getattr(facade, name) is not None and name in facade.__all__


class Anything(IdMixin):
    name: str


@pytest.mark.parametrize("name", TABLE)
def test_table_has(name: str) -> None:
    if name == "insert":  # on the class it takes the values of a new row, too
        assert "tx" in inspect.signature(Anything.model_construct().insert).parameters
        return
    parameters(Table, name, TABLE[name])


@pytest.mark.parametrize("name", QUERY)
def test_query_builder_has(name: str) -> None:
    parameters(QueryBuilder, name, QUERY[name])


def test_the_rest() -> None:
    from data_bridge.orm.mapping.settings import KEYS
    from data_bridge.orm.relations.collection import Many
    from data_bridge.orm.relations.paths import ManyPath
    from data_bridge.orm.relations.reference import Linked

    for owner, names in (
        (Many, MANY),
        (ManyPath, MANY_PATH),
        (Linked, LINKED),
        (facade.Expr, EXPR),
        (operators, OPERATORS),
        (facade.Order, ["nulls_first", "nulls_last"]),
        (SoftDeleteMixin, ["with_deleted", "only_deleted", "restore", "hard_delete"]),
        (facade.Transaction, ["commit", "rollback", "savepoint", "rollback_to", "release", "set_rollback_only", "on_commit", "set_local",
                              "advisory_lock", "is_active", "is_aborted"]),
        (facade.Database, ["connect", "close", "ping", "pool_stats", "expire", "execute", "fetch", "fetch_one", "fetch_val",
                           "execute_script", "stream", "copy_in", "copy_out", "notify", "listen", "transaction"]),
        (facade.Migration, ["execute", "create_table", "drop_table", "add_column", "drop_column", "create_index", "drop_index",
                            "rename_table", "rename_column", "alter_column", "add_constraint", "drop_constraint", "add_foreign_key",
                            "create_enum", "alter_enum", "drop_enum", "backfill", "fetch"]),
    ):  # fmt: skip
        missing = [n for n in names if not hasattr(owner, n)]
        assert not missing, f"{owner!r} lacks {missing}"
    assert set(SETTINGS) == KEYS
    assert set(Page.model_fields) == {"items", "next", "prev", "total"}
    assert Anything.c.name.__column__.name == "name" and list(inspect.signature(ManyToMany).parameters)[:1] == [
        "through"
    ]
    assert facade.func.count().over(partition_by=[Anything.id]) is not None
