"""The ORM of data-bridge: Tables are Pydantic models, queries are Python expressions."""

from data_bridge.core import require as _require

_require(ir=1, features={"select", "insert", "update", "delete"}, package="data-bridge-orm")

from data_bridge.orm._events import (  # noqa: E402
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
from data_bridge.orm._page import Page  # noqa: E402
from data_bridge.orm._progress import progress_bar  # noqa: E402
from data_bridge.orm.mapping.col import Col  # noqa: E402
from data_bridge.orm.mapping.column import Column, col  # noqa: E402
from data_bridge.orm.mapping.constraints import Check, Exclude, ForeignKey, Index, Unique  # noqa: E402
from data_bridge.orm.mapping.link import BackLink, Link, ManyToMany  # noqa: E402
from data_bridge.orm.mapping.settings import RowPolicy, View  # noqa: E402
from data_bridge.orm.models import association_table as association_table  # noqa: E402 - relations make their tables with it
from data_bridge.orm.models.cascade import DeleteRules, WriteRules  # noqa: E402
from data_bridge.orm.models.mixins import IdMixin, SoftDeleteMixin, TimestampMixin, UUIDMixin, uuid7  # noqa: E402
from data_bridge.orm.models.table import Table, Upserted  # noqa: E402
from data_bridge.orm.persistence.conflict import Conflict  # noqa: E402
from data_bridge.orm.queries.aliases import aliased  # noqa: E402
from data_bridge.orm.queries.builder import QueryBuilder  # noqa: E402
from data_bridge.orm.queries.derived import DerivedQuery  # noqa: E402
from data_bridge.orm.queries.optional import optional  # noqa: E402
from data_bridge.orm.queries.prepared import Prepared, param  # noqa: E402
from data_bridge.orm.queries.union import UnionQuery  # noqa: E402
from data_bridge.orm.relations.collection import Many  # noqa: E402
from data_bridge.orm.relations.reference import Linked  # noqa: E402
from data_bridge.orm.schema.create import create_all, drop_all  # noqa: E402
from data_bridge.query import FunctionDef as Function  # noqa: E402
from data_bridge.query import GrantDef as Grant  # noqa: E402
from data_bridge.query import PolicyDef as Policy  # noqa: E402
from data_bridge.query import TriggerDef as Trigger  # noqa: E402

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
    "DerivedQuery",
    "Event",
    "Exclude",
    "ForeignKey",
    "Function",
    "Grant",
    "IdMixin",
    "Index",
    "Insert",
    "Link",
    "Linked",
    "Load",
    "Many",
    "ManyToMany",
    "Page",
    "Policy",
    "Prepared",
    "QueryBuilder",
    "Replace",
    "RowPolicy",
    "Save",
    "SoftDeleteMixin",
    "Table",
    "TimestampMixin",
    "Trigger",
    "UUIDMixin",
    "UnionQuery",
    "Unique",
    "Update",
    "Upserted",
    "View",
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
