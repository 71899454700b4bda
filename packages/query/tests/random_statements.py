"""Random SELECT statements, each built twice: with data_bridge.query and with SQLAlchemy Core."""

from __future__ import annotations

import operator
import random
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from data_bridge import query as q
from data_bridge.query import func, types

COLUMNS: dict[str, tuple[str, Any, Any]] = {
    "id": ("int", types.Integer, sa.Integer),
    "a": ("int", types.Integer, sa.Integer),
    "b": ("int", types.Integer, sa.Integer),
    "s": ("text", types.Text, sa.Text),
    "t": ("text", types.Text, sa.Text),
    "f": ("bool", types.Boolean, sa.Boolean),
    "d": ("date", types.Date, sa.Date),
}
TABLES = ("one", "two", "three")
DDL = ";".join(f"CREATE TABLE {name} (id int, a int, b int, s text, t text, f boolean, d date)" for name in TABLES)
_OURS = {name: q.table(name, *(q.column(c, of[1]) for c, of in COLUMNS.items())) for name in TABLES}
_THEIRS = {name: sa.Table(name, sa.MetaData(), *(sa.Column(c, of[2]) for c, of in COLUMNS.items())) for name in TABLES}
_TEXTS = ("", "a", "ab", "b%", "_", "A", "it's", "ä", "a\\b", "0")
_COMPARISONS = (operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge)


@dataclass(frozen=True, slots=True)
class Pair:
    """The same expression, source or statement, here and there."""

    ours: Any
    theirs: Any


class Statements:
    """Makes one statement of its seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.sources: list[Pair] = []

    def statement(self) -> Pair:
        """A SELECT, or two of them in a set operation."""
        made = self._select()
        if self.random.random() > 0.2:
            return made
        # The same shape of result, with other conditions.
        again = Statements(self.random.getrandbits(30))
        shape = [self._pick(("int", "text", "bool", "date")) for _ in range(2)]
        first, second = self._of_shape(shape), again._of_shape(shape)
        how = self._pick(("union", "union_all", "intersect", "except_"))
        return Pair(getattr(first.ours, how)(second.ours), getattr(first.theirs, how)(second.theirs))

    def row(self, number: int) -> list[Any]:
        """Values for a row of any table, some of them NULL."""
        kinds = [of[0] for of in COLUMNS.values()][1:]
        return [number, *(None if self.random.random() < 0.25 else self._value(kind) for kind in kinds)]

    # ------------------------------------------------------------------------------------------------- statements
    def _pick(self, items: Any) -> Any:
        return self.random.choice(items)

    def _alias(self, name: str) -> Pair:
        table = self._pick(TABLES)
        return Pair(q.aliased(_OURS[table], name), _THEIRS[table].alias(name))

    def _from(self) -> tuple[Any, Any]:
        """Joins: what adds them to a statement here, and the clause there."""
        sources = [self._alias(f"s{i}") for i in range(self._pick((1, 1, 2, 2, 3)))]
        self.sources, joins, theirs = [sources[0]], [], sources[0].theirs
        for source in sources[1:]:
            how = self._pick(("inner", "left", "right", "full"))
            if how in ("inner", "left"):
                self.sources.append(source)
                on = self._bool(1)
            else:  # the server needs a condition that it can merge or hash
                other = self._column("int")
                on = Pair(source.ours.c.a == other.ours, source.theirs.c.a == other.theirs)
                self.sources.append(source)
            joins.append((source.ours, on.ours, how))
            if how == "right":
                theirs = source.theirs.join(theirs, on.theirs, isouter=True)
            else:
                theirs = theirs.join(source.theirs, on.theirs, isouter=how == "left", full=how == "full")

        def add(statement: Any) -> Any:
            statement = statement.from_(sources[0].ours)
            for table, on, how in joins:
                statement = statement.join(table, on, how=how)
            return statement

        return add, theirs

    def _select(self) -> Pair:
        if self.random.random() < 0.3:
            return self._grouped()
        made = self._of_shape([self._pick(("int", "text", "bool", "date")) for _ in range(self._pick((1, 2, 3)))])
        return Pair(made.ours.distinct(), made.theirs.distinct()) if self.random.random() < 0.2 else made

    def _of_shape(self, kinds: list[str]) -> Pair:
        add, source = self._from()
        columns = [self._expression(kind, 2) for kind in kinds]
        ours = add(q.select(*(c.ours.label(f"c{i}") for i, c in enumerate(columns))))
        theirs = sa.select(*(c.theirs.label(f"c{i}") for i, c in enumerate(columns))).select_from(source)
        return self._filtered(Pair(ours, theirs))

    def _grouped(self) -> Pair:
        add, source = self._from()
        key, value = self._column(self._pick(("int", "text", "bool"))), self._int(1)
        name = self._pick(("count", "sum", "min", "max"))
        ours, theirs = getattr(func, name)(value.ours), getattr(sa.func, name)(value.theirs)
        made = Pair(
            add(q.select(key.ours.label("k"), ours.label("v"))).group_by(key.ours),
            sa.select(key.theirs.label("k"), theirs.label("v")).select_from(source).group_by(key.theirs),
        )
        if self.random.random() < 0.5:
            made = Pair(made.ours.having(func.count() > 1), made.theirs.having(sa.func.count() > 1))
        return self._filtered(made)

    def _filtered(self, made: Pair) -> Pair:
        for _ in range(self.random.randrange(3)):
            condition = self._bool(3)
            made = Pair(made.ours.where(condition.ours), made.theirs.where(condition.theirs))
        return made

    def _inner(self, *, is_value: bool = False) -> Pair:
        """A subquery, which may speak of the sources outside."""
        inner, before = self._alias(f"i{self.random.randrange(10**6)}"), self.sources
        self.sources = [inner]
        column = self._column("int")
        self.sources = [inner, *before]
        condition = self._bool(1)
        self.sources = before
        ours = q.select(func.max(column.ours) if is_value else column.ours).from_(inner.ours).where(condition.ours)
        theirs = sa.select(sa.func.max(column.theirs) if is_value else column.theirs).select_from(inner.theirs)
        theirs = theirs.where(condition.theirs).correlate(*(s.theirs for s in before))
        return Pair(ours.scalar(), theirs.scalar_subquery()) if is_value else Pair(ours, theirs)

    # ------------------------------------------------------------------------------------------------ expressions
    def _value(self, kind: str) -> Any:
        match kind:
            case "int":
                return self._pick((0, 1, 2, 3, -1, -5, 7, 10))
            case "text":
                return self._pick(_TEXTS)
            case "bool":
                return self.random.random() < 0.5
            case _:
                return date(2024, 1, 1) + timedelta(days=self.random.randrange(4))

    def _column(self, kind: str) -> Pair:
        source = self._pick(self.sources)
        name = self._pick([name for name, of in COLUMNS.items() if of[0] == kind])
        return Pair(getattr(source.ours.c, name), source.theirs.c[name])

    def _expression(self, kind: str, depth: int) -> Pair:
        if depth <= 0 or self.random.random() < 0.25:
            return self._column(kind)
        made: Pair = getattr(self, f"_{kind}")(depth)
        return made

    def _operand(self, kind: str, depth: int) -> Pair:
        if self.random.random() < 0.35:
            value = self._value(kind)
            return Pair(value, value)
        return self._expression(kind, depth)

    def _either(self, kind: str, depth: int, a: Pair) -> Pair:
        """CASE and functions that every type has."""
        b = self._operand(kind, depth)
        if self.random.random() < 0.5:
            return Pair(func.coalesce(a.ours, b.ours), sa.func.coalesce(a.theirs, b.theirs))
        condition = self._expression("bool", depth)
        return Pair(
            q.case((condition.ours, a.ours), else_=b.ours), sa.case((condition.theirs, a.theirs), else_=b.theirs)
        )

    def _int(self, depth: int) -> Pair:
        depth -= 1
        a = self._expression("int", depth)
        match self.random.randrange(9):
            case 0 | 1 | 2:
                b, of = self._operand("int", depth), self._pick((operator.add, operator.sub, operator.mul))
                return Pair(of(a.ours, b.ours), of(a.theirs, b.theirs))
            case 3:
                value = self._value("int")
                return Pair(value - a.ours, value - a.theirs)
            case 4:
                return Pair(-a.ours, -a.theirs)
            case 5:
                text = self._expression("text", depth)
                return Pair(func.length(text.ours), sa.func.length(text.theirs))
            case 6:
                b = self._expression("int", depth)
                return Pair(func.abs(a.ours) % 3 + b.ours, sa.func.abs(a.theirs, type_=sa.Integer) % 3 + b.theirs)
            case 7:
                return self._inner(is_value=True)
            case _:
                return self._either("int", depth, a)

    def _text(self, depth: int) -> Pair:
        depth -= 1
        a = self._expression("text", depth)
        match self.random.randrange(5):
            case 0:
                b = self._operand("text", depth)
                return Pair(a.ours + b.ours, a.theirs + b.theirs)
            case 1:
                return Pair(func.upper(a.ours), sa.func.upper(a.theirs, type_=sa.Text))
            case 2:
                number = self._expression("int", depth)
                return Pair(number.ours.cast(types.Text), sa.cast(number.theirs, sa.Text))
            case 3:
                b = self._operand("text", depth)
                return Pair(func.replace(a.ours, b.ours, "x"), sa.func.replace(a.theirs, b.theirs, "x", type_=sa.Text))
            case _:
                return self._either("text", depth, a)

    def _date(self, depth: int) -> Pair:
        depth -= 1
        a, b = self._expression("date", depth), self._operand("date", depth)
        if self.random.random() < 0.5:
            return Pair(func.greatest(a.ours, b.ours), sa.func.greatest(a.theirs, b.theirs))
        return self._either("date", depth, a)

    def _bool(self, depth: int) -> Pair:
        depth -= 1
        match self.random.randrange(14):
            case 0 | 1 | 2:
                kind, of = self._pick(("int", "text", "date")), self._pick(_COMPARISONS)
                a, b = self._expression(kind, depth), self._operand(kind, depth)
                return Pair(of(a.ours, b.ours), of(a.theirs, b.theirs))
            case 3 | 4 | 5:
                a, b = self._expression("bool", depth), self._expression("bool", depth)
                of = self._pick((operator.and_, operator.or_, operator.eq))
                return Pair(of(a.ours, b.ours), of(a.theirs, b.theirs))
            case 6:
                a = self._expression("bool", depth)
                # There, ~a in a further test would lose its parentheses.
                return Pair(~a.ours, a.theirs == sa.false())
            case 7:
                a = self._expression(self._pick(("int", "text", "bool", "date")), depth)
                if self.random.random() < 0.5:
                    return Pair(a.ours.is_null(), a.theirs.is_(None))
                return Pair(a.ours.is_not_null(), a.theirs.is_not(None))
            case 8:
                kind, way = self._pick(("int", "text")), self._pick(("in_", "not_in"))
                a, values = self._expression(kind, depth), [self._value(kind) for _ in range(self.random.randrange(4))]
                return Pair(getattr(a.ours, way)(values), getattr(a.theirs, way)(values))
            case 9:
                a, low, high = self._expression("int", depth), self._operand("int", depth), self._operand("int", depth)
                return Pair(a.ours.between(low.ours, high.ours), a.theirs.between(low.theirs, high.theirs))
            case 10:
                a, value = self._expression("text", depth), self._value("text")
                way = self._pick(("contains", "startswith", "endswith", "icontains"))
                return Pair(getattr(a.ours, way)(value), getattr(a.theirs, way)(value, autoescape=True))
            case 11:
                kind = self._pick(("int", "text"))
                a, b = self._expression(kind, depth), self._operand(kind, depth)
                return Pair(a.ours.is_distinct_from(b.ours), a.theirs.is_distinct_from(b.theirs))
            case 12:
                inner = self._inner()
                return Pair(q.exists(inner.ours), sa.exists(inner.theirs))
            case _:
                a, inner = self._expression("int", depth), self._inner()
                return Pair(a.ours.in_(inner.ours), a.theirs.in_(inner.theirs))
