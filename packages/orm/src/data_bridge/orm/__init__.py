"""The ORM of data-bridge: Tables are Pydantic models, queries are Python expressions."""

from data_bridge.core import require as _require

_require(ir=1, features={"select", "insert", "update", "delete"}, package="data-bridge-orm")

from data_bridge.orm.aliases import aliased  # noqa: E402
from data_bridge.orm.builder import QueryBuilder  # noqa: E402
from data_bridge.orm.bulk import Conflict  # noqa: E402
from data_bridge.orm.col import Col  # noqa: E402
from data_bridge.orm.column import Column, col  # noqa: E402
from data_bridge.orm.constraints import Check, Exclude, ForeignKey, Index, Unique  # noqa: E402
from data_bridge.orm.mixins import IdMixin, TimestampMixin, UUIDMixin, uuid7  # noqa: E402
from data_bridge.orm.optional import optional  # noqa: E402
from data_bridge.orm.page import Page  # noqa: E402
from data_bridge.orm.schema import create_all, drop_all  # noqa: E402
from data_bridge.orm.table import Table, Upserted  # noqa: E402

__all__ = [
    "Check",
    "Col",
    "Column",
    "Conflict",
    "Exclude",
    "ForeignKey",
    "IdMixin",
    "Index",
    "Page",
    "QueryBuilder",
    "Table",
    "TimestampMixin",
    "UUIDMixin",
    "Unique",
    "Upserted",
    "aliased",
    "col",
    "create_all",
    "drop_all",
    "optional",
    "uuid7",
]
