"""MixedPlans: how rows of whole tables and single columns become tuples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from data_bridge.core import LoadPlan
from data_bridge.orm.mapping.column_fit import Misfit

if TYPE_CHECKING:
    from data_bridge.orm.mapping.entity import Entity


class MixedPlans:
    """The part of an entity, and of what stands for one, that keeps such plans."""

    shapes: dict[Any, Any]
    load_hooked: dict[LoadPlan, list[tuple[int, Entity]] | None]

    def mixed(
        self,
        parts: Sequence[tuple[Entity | None, int, bool]],
        *,
        many: bool = True,
        loading: Sequence[tuple[Callable[[Any], Any] | None, tuple[str, Misfit | None] | None]] = (),
    ) -> LoadPlan:
        """How rows of whole tables and single columns become tuples; made once, as it owns the cache of its statements.

        `loading` holds the converters and the fields of single columns, by their place in the result.
        """
        shape = ((None if e is None else e.number, width, optional) for e, width, optional in parts)
        at = ("mixed", many, *loading, *shape)
        plan: LoadPlan | None = self.shapes.get(at)
        if plan is None:
            made = [(None if e is None else e.plan(), width, optional) for e, width, optional in parts]
            plan = self.shapes[at] = LoadPlan.mixed(
                made, many=many, converters=[c for c, _ in loading], fields=[f for _, f in loading]
            )
            hooked = [(i, e) for i, (e, _, _) in enumerate(parts) if e is not None and e.has_load_hooks]
            if hooked:
                self.load_hooked[plan] = hooked
        return plan

    def mixed_with(self, first: LoadPlan, width: int, parts: Sequence[tuple[Entity | None, int, bool]]) -> LoadPlan:
        """The same with instances by a plan of their own at the front: rows with what fetch_links() brings."""
        at = ("with", first, *((None if e is None else e.number, w, optional) for e, w, optional in parts))
        plan: LoadPlan | None = self.shapes.get(at)
        if plan is None:
            made = [(None if e is None else e.plan(), w, optional) for e, w, optional in parts]
            plan = self.shapes[at] = LoadPlan.mixed([(first, width, False), *made])
        return plan
