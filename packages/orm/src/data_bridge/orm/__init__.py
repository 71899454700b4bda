"""The ORM of data-bridge: Tables are Pydantic models, queries are Python expressions."""

from data_bridge.core import require as _require

_require(ir=1, features={"select", "insert", "update", "delete"}, package="data-bridge-orm")

from data_bridge.orm import through as through  # noqa: E402 - relations make their tables with it
from data_bridge.orm.aliases import aliased  # noqa: E402
from data_bridge.orm.builder import QueryBuilder  # noqa: E402
from data_bridge.orm.col import Col  # noqa: E402
from data_bridge.orm.column import Column, col  # noqa: E402
from data_bridge.orm.conflict import Conflict  # noqa: E402
from data_bridge.orm.constraints import Check, Exclude, ForeignKey, Index, Unique  # noqa: E402
from data_bridge.orm.events import (  # noqa: E402
    BulkDelete,
    BulkUpdate,
    Delete,
    Event,
    Insert,
    Load,
    Replace,
    Save,
    Update,
    after_commit,
    after_event,
    before_event,
)
from data_bridge.orm.link import BackLink, Link, ManyToMany  # noqa: E402
from data_bridge.orm.linked import Linked  # noqa: E402
from data_bridge.orm.linkrule import DeleteRules, WriteRules  # noqa: E402
from data_bridge.orm.many import Many  # noqa: E402
from data_bridge.orm.mixins import IdMixin, SoftDeleteMixin, TimestampMixin, UUIDMixin, uuid7  # noqa: E402
from data_bridge.orm.optional import optional  # noqa: E402
from data_bridge.orm.page import Page  # noqa: E402
from data_bridge.orm.prepared import Prepared, param  # noqa: E402
from data_bridge.orm.progress import progress_bar  # noqa: E402
from data_bridge.orm.schema import create_all, drop_all  # noqa: E402
from data_bridge.orm.table import Table, Upserted  # noqa: E402

__all__ = [
    "BackLink",
    "BulkDelete",
    "BulkUpdate",
    "Check",
    "Col",
    "Column",
    "Conflict",
    "Delete",
    "DeleteRules",
    "Event",
    "Exclude",
    "ForeignKey",
    "IdMixin",
    "Index",
    "Insert",
    "Link",
    "Linked",
    "Load",
    "Many",
    "ManyToMany",
    "Page",
    "Prepared",
    "QueryBuilder",
    "Replace",
    "Save",
    "SoftDeleteMixin",
    "Table",
    "TimestampMixin",
    "UUIDMixin",
    "Unique",
    "Update",
    "Upserted",
    "WriteRules",
    "after_commit",
    "after_event",
    "aliased",
    "before_event",
    "col",
    "create_all",
    "drop_all",
    "optional",
    "param",
    "progress_bar",
    "uuid7",
]
