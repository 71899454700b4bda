"""The core of data-bridge: connections, transactions and raw SQL over PostgreSQL; compiled and executed in Rust.

>>> import asyncio
>>> from data_bridge import core
>>> async def main() -> None:
...     await core.init("embedded:")  # or postgresql://user:password@host/database
...     print(await core.fetch("SELECT 1 AS one"))
...     await core.close()
>>> asyncio.run(main())
[{'one': 1}]
"""

from typing import TYPE_CHECKING, Any

from data_bridge.core import errors
from data_bridge.core._class_attributes import ClassAttribute, hidden
from data_bridge.core._native import LoadPlan, json_equals, quote_identifier, quote_literal, tokenize
from data_bridge.core.errors import *  # noqa: F403 - the whole tree is public
from data_bridge.core.protocol import FEATURES, IR_VERSION, require
from data_bridge.core.statement import Compiled, HasStatement, Statement, compile, text

if TYPE_CHECKING:
    from data_bridge.core.connection.annotators import Annotator, add_annotator, remove_annotator
    from data_bridge.core.connection.context import (
        AtLevel,
        Consistency,
        adopt_context,
        current_database,
        detached,
        enter_test_scope,
        has_new_transaction,
        leave_test_scope,
        reading_context,
        registered,
        resolve,
        use_database,
    )
    from data_bridge.core.connection.custom_types import register_type
    from data_bridge.core.connection.database import Database, PoolStats
    from data_bridge.core.connection.executor import BaseExecutor, Executor
    from data_bridge.core.connection.lifecycle import close, get_database, init, is_connected, settle
    from data_bridge.core.connection.notifications import Gap, Notification
    from data_bridge.core.connection.observer import (
        LoadedLink,
        Observer,
        QueryFinished,
        QueryStarted,
        add_observer,
        begin_link,
        end_link,
        observed,
        observed_script,
        observers,
        remove_observer,
    )
    from data_bridge.core.connection.raw import (
        copy_in,
        copy_in_csv,
        copy_out,
        copy_out_csv,
        execute,
        execute_script,
        fetch,
        fetch_arrow,
        fetch_one,
        fetch_val,
        listen,
        notify,
        stream,
        stream_arrow,
    )
    from data_bridge.core.connection.streams import RowStream
    from data_bridge.core.connection.transaction_settings import tenant, transaction_settings
    from data_bridge.core.development import (
        DevelopmentLimits,
        DevelopmentWarning,
        HeldConnectionWarning,
        MissingIndexWarning,
        RepeatedStatementWarning,
        UnboundedResultWarning,
    )
    from data_bridge.core.frames.arrow import ArrowNumeric, ArrowStream
    from data_bridge.core.frames.table import ArrowStreamable, ArrowTable
    from data_bridge.core.replication.consistency import consistency, read_your_writes
    from data_bridge.core.replication.database import ReplicatedDatabase
    from data_bridge.core.replication.member import ReplicaStats
    from data_bridge.core.telemetry.echo import Echo
    from data_bridge.core.telemetry.sql_html import sql_html
    from data_bridge.core.transactions.block import TransactionBlock, backoff, pg_transaction, transaction_attempts
    from data_bridge.core.transactions.current import begin_transaction, current_transaction, on_commit
    from data_bridge.core.transactions.isolation import IsolationLevel
    from data_bridge.core.transactions.savepoint import Savepoint, SavepointBlock
    from data_bridge.core.transactions.transaction import Transaction
    from data_bridge.core.types.interval import PgInterval
    from data_bridge.core.types.range import Range

__all__ = [
    "FEATURES",
    "IR_VERSION",
    "Annotator",
    "ArrowNumeric",
    "ArrowStream",
    "ArrowStreamable",
    "ArrowTable",
    "AtLevel",
    "BaseExecutor",
    "ClassAttribute",
    "Compiled",
    "Consistency",
    "Database",
    "DevelopmentLimits",
    "DevelopmentWarning",
    "Echo",
    "Executor",
    "Gap",
    "HasStatement",
    "HeldConnectionWarning",
    "IsolationLevel",
    "LoadPlan",
    "LoadedLink",
    "MissingIndexWarning",
    "Notification",
    "Observer",
    "PgInterval",
    "PoolStats",
    "QueryFinished",
    "QueryStarted",
    "Range",
    "RepeatedStatementWarning",
    "ReplicaStats",
    "ReplicatedDatabase",
    "RowStream",
    "Savepoint",
    "SavepointBlock",
    "Statement",
    "Transaction",
    "TransactionBlock",
    "UnboundedResultWarning",
    "add_annotator",
    "add_observer",
    "adopt_context",
    "backoff",
    "begin_link",
    "begin_transaction",
    "close",
    "compile",
    "consistency",
    "copy_in",
    "copy_in_csv",
    "copy_out",
    "copy_out_csv",
    "current_database",
    "current_transaction",
    "detached",
    "end_link",
    "enter_test_scope",
    "errors",
    "execute",
    "execute_script",
    "fetch",
    "fetch_arrow",
    "fetch_one",
    "fetch_val",
    "get_database",
    "has_new_transaction",
    "hidden",
    "init",
    "is_connected",
    "json_equals",
    "leave_test_scope",
    "listen",
    "notify",
    "observed",
    "observed_script",
    "observers",
    "on_commit",
    "pg_transaction",
    "quote_identifier",
    "quote_literal",
    "read_your_writes",
    "reading_context",
    "register_type",
    "registered",
    "remove_annotator",
    "remove_observer",
    "require",
    "resolve",
    "settle",
    "sql_html",
    "stream",
    "stream_arrow",
    "tenant",
    "text",
    "tokenize",
    "transaction_attempts",
    "transaction_settings",
    "use_database",
]
__all__ += errors.__all__

# A program that only builds SQL text loads neither asyncio nor ssl: what runs statements is imported when it is first named.
_MODULES = {
    "connection.annotators": ("Annotator", "add_annotator", "remove_annotator"),
    "connection.context": (
        "AtLevel",
        "Consistency",
        "adopt_context",
        "current_database",
        "detached",
        "enter_test_scope",
        "has_new_transaction",
        "leave_test_scope",
        "reading_context",
        "registered",
        "resolve",
        "use_database",
    ),
    "connection.database": ("Database", "PoolStats"),
    "connection.executor": ("BaseExecutor", "Executor"),
    "types.interval": ("PgInterval",),
    "transactions.isolation": ("IsolationLevel",),
    "connection.lifecycle": ("close", "get_database", "init", "is_connected", "settle"),
    "connection.notifications": ("Gap", "Notification"),
    "connection.observer": (
        "LoadedLink",
        "Observer",
        "QueryFinished",
        "QueryStarted",
        "add_observer",
        "begin_link",
        "end_link",
        "observed",
        "observed_script",
        "observers",
        "remove_observer",
    ),
    "connection.transaction_settings": ("tenant", "transaction_settings"),
    "replication.consistency": ("consistency", "read_your_writes"),
    "replication.database": ("ReplicatedDatabase",),
    "replication.member": ("ReplicaStats",),
    "development": (
        "DevelopmentLimits",
        "DevelopmentWarning",
        "HeldConnectionWarning",
        "MissingIndexWarning",
        "RepeatedStatementWarning",
        "UnboundedResultWarning",
    ),
    "connection.raw": (
        "copy_in",
        "copy_in_csv",
        "copy_out",
        "copy_out_csv",
        "execute",
        "execute_script",
        "fetch",
        "fetch_arrow",
        "fetch_one",
        "fetch_val",
        "listen",
        "notify",
        "stream",
        "stream_arrow",
    ),
    "telemetry.echo": ("Echo",),
    "telemetry.sql_html": ("sql_html",),
    "transactions.savepoint": ("Savepoint", "SavepointBlock"),
    "types.range": ("Range",),
    "connection.custom_types": ("register_type",),
    "connection.streams": ("RowStream",),
    "frames.arrow": ("ArrowNumeric", "ArrowStream"),
    "frames.table": ("ArrowStreamable", "ArrowTable"),
    "transactions.current": ("begin_transaction", "current_transaction", "on_commit"),
    "transactions.transaction": ("Transaction",),
    "transactions.block": ("TransactionBlock", "backoff", "pg_transaction", "transaction_attempts"),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


if not TYPE_CHECKING:
    # To checkers a module with __getattr__ has every name, also the misspelled ones.
    def __getattr__(name: str) -> Any:
        module = _HOMES.get(name)
        if module is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        found = globals()[name] = getattr(import_module(f"{__name__}.{module}"), name)
        return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
