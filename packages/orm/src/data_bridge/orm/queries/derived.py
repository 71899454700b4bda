"""DerivedQuery: a query over a subquery, a common table expression, a function or a list of values, whose rows are dicts."""

from __future__ import annotations

from typing import Any

from data_bridge.core import LoadPlan, resolve
from data_bridge.orm.mapping.mixed_plans import MixedPlans
from data_bridge.orm.queries.builder import QueryBuilder
from data_bridge.orm.queries.chosen import Chosen
from data_bridge.orm.queries.result_types import dicts_of
from data_bridge.query.spi import Source, columns_of, derived_from


class _Place:
    """The settings of what no class has settings for."""

    __slots__ = ("using",)

    def __init__(self, using: Any) -> None:
        self.using = using


class DerivedTable(MixedPlans):
    """What a query has to know of its rows, where no Table class says it: the part of an Entity that is not about writing."""

    def __init__(self, source: Source) -> None:
        self.cls = type(None)
        self.label = source.label
        self.source = source
        self.columns = {c.__column__.key: c for c in source.columns.values()}
        self.by_key: dict[str, Any] = {}
        self.keys = tuple(self.columns)
        self.settings = _Place(source.home)
        self.definition = None
        self.fields = self.loaded = self.links = self.present = self.deleted = self.pk_names = self.pk_keys = ()
        self.relations: dict[str, Any] = {}
        self.paths: dict[str, Any] = {}
        self.shapes = {}
        self.load_hooked = {}
        self.instance_plans: set[LoadPlan] = set()
        self.soft = self.hooks = None
        self.has_load_hooks = False

    def executor(self, tx: Any) -> Any:
        """Where statements run: where `tx` says, or where the query runs that the source is made of."""
        return resolve(tx if tx is not None else self.settings.using)


class DerivedQuery(QueryBuilder[dict[str, Any]]):
    """The queries of what is no Table: made by find(), join(), group_by() and order_by() of a source.

    >>> def spenders(Order, User, func) -> list:
    ...     totals = Order.find().group_by(Order.user_id).aggregate(spent=func.sum(Order.total)).subquery("totals")
    ...     return totals.find(totals.c.spent > 100).join(User, User.id == totals.c.user_id).tuples(User.name, totals.c.spent)
    """

    __slots__ = ()

    @classmethod
    def over(cls, source: Source) -> DerivedQuery:
        """All rows of a source."""
        things = tuple(source.columns.values())
        new: Any = derived_from(cls, source, columns_of(things))
        entity: Any = DerivedTable(source)
        new._entity = entity
        new._plan, new._one = dicts_of(entity, things)
        new._chosen = Chosen("values", things)
        new._said = new._model = new._timeout = new._links = None
        new._using = source.home
        new._unfiltered = new._hard = False
        new._keeps = None
        new._grouped = new._skip = ()
        return new  # type: ignore[no-any-return]

    def select(self, *columns: Any) -> Any:
        """The rows with these columns."""
        return self.values(*columns)

    async def _refused(self, *_: Any, **__: Any) -> Any:
        raise TypeError(f"{self._entity.label} is not a table: its rows cannot be written")

    update = delete = hard_delete = restore = _refused


Source.make_query = DerivedQuery.over
