"""Expression nodes: each carries its structure (nested tuples, no values) and its parameters, so nothing is walked
later.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NoReturn, TypeAlias, TypeVar, overload

from ..types.sql_types import Boolean, SQLType
from . import coercion

if TYPE_CHECKING:
    from .expr import Expr

__all__ = ["Node", "Params", "Structure"]

T_co = TypeVar("T_co", covariant=True)

Structure: TypeAlias = Any
"""A nested tuple of str, int, None and tuples; the written contract is contract/ir.md."""
Params: TypeAlias = tuple[Any, ...]

_NO_TRUTH = (
    "an SQL expression has no truth value: write & | ~ instead of and, or, not; "
    "between() or (a < x) & (x < b) instead of a < x < b; in_() instead of in"
)
_NO_ITERATION = "an SQL expression cannot be iterated or searched with `in`: write in_(…), contains(…) or any_(…)"


class Node(Generic[T_co]):
    """What every expression can do with operators. Use `data_bridge.query.Expr`, which adds the named methods.

    >>> from data_bridge.query import table, column
    >>> users = table("users", column("id", int), column("age", int))
    >>> (users.age > 25) & (users.id != 1)
    <Expr "users"."age" > $1 AND "users"."id" <> $2>
    """

    __slots__ = ("p", "s", "t")

    s: Structure
    p: Params
    t: SQLType | None

    def __init__(self, s: Structure, p: Params = (), t: SQLType | None = None) -> None:
        self.s = s
        self.p = p
        self.t = t

    @property
    def __owner__(self) -> str | None:
        """How messages call this expression: "User.age" for a column."""
        return None

    # ------------------------------------------------------------------------------------------------- comparison
    def _compare(self, tag: str, other: Any) -> Expr[bool]:
        if isinstance(other, Node):
            return coercion.built((tag, self.s, other.s), self.p + other.p, Boolean)
        if other is None:
            raise TypeError(f"{tag} with None is never true: use is_null() or is_not_null()")
        s, p = coercion.compared(other, self.t, self.__owner__)
        return coercion.built((tag, self.s, s), self.p + p, Boolean)

    def __eq__(self, other: T_co | Node[T_co] | Node[T_co | None] | None) -> Expr[bool]:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride, reportGeneralTypeIssues]
        if other is None:
            return coercion.built(("is", self.s, "null"), self.p, Boolean)
        return self._compare("=", other)

    def __ne__(self, other: T_co | Node[T_co] | Node[T_co | None] | None) -> Expr[bool]:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride, reportGeneralTypeIssues]
        if other is None:
            return coercion.built(("is", self.s, "not null"), self.p, Boolean)
        return self._compare("<>", other)

    __hash__ = object.__hash__

    @overload
    def __lt__(self: Node[Decimal] | Node[Decimal | None], other: _Decimals) -> Expr[bool]: ...
    @overload
    def __lt__(self, other: T_co | Node[T_co] | Node[T_co | None]) -> Expr[bool]: ...  # pyright: ignore[reportGeneralTypeIssues]
    def __lt__(self, other: Any) -> Expr[bool]:
        return self._compare("<", other)

    @overload
    def __le__(self: Node[Decimal] | Node[Decimal | None], other: _Decimals) -> Expr[bool]: ...
    @overload
    def __le__(self, other: T_co | Node[T_co] | Node[T_co | None]) -> Expr[bool]: ...  # pyright: ignore[reportGeneralTypeIssues]
    def __le__(self, other: Any) -> Expr[bool]:
        return self._compare("<=", other)

    @overload
    def __gt__(self: Node[Decimal] | Node[Decimal | None], other: _Decimals) -> Expr[bool]: ...
    @overload
    def __gt__(self, other: T_co | Node[T_co] | Node[T_co | None]) -> Expr[bool]: ...  # pyright: ignore[reportGeneralTypeIssues]
    def __gt__(self, other: Any) -> Expr[bool]:
        return self._compare(">", other)

    @overload
    def __ge__(self: Node[Decimal] | Node[Decimal | None], other: _Decimals) -> Expr[bool]: ...
    @overload
    def __ge__(self, other: T_co | Node[T_co] | Node[T_co | None]) -> Expr[bool]: ...  # pyright: ignore[reportGeneralTypeIssues]
    def __ge__(self, other: Any) -> Expr[bool]:
        return self._compare(">=", other)

    # -------------------------------------------------------------------------------------------------- conditions
    def __and__(self: Node[bool] | Node[bool | None], other: Node[bool] | Node[bool | None]) -> Expr[bool]:
        return coercion.joined("and", self, other)

    def __or__(self: Node[bool] | Node[bool | None], other: Node[bool] | Node[bool | None]) -> Expr[bool]:
        return coercion.joined("or", self, other)

    if not TYPE_CHECKING:
        # Checkers must not see a way out of a wrong left operand.
        def __rand__(self, other: Any) -> NoReturn:
            raise TypeError(f"& joins conditions, got {type(other).__name__}")

        def __ror__(self, other: Any) -> NoReturn:
            raise TypeError(f"| joins conditions, got {type(other).__name__}")

    def __invert__(self: Node[bool] | Node[bool | None]) -> Expr[bool]:
        s = self.s
        if type(s) is tuple and s[0] == "not":
            return coercion.built(s[1], self.p, Boolean)
        return coercion.built(("not", s), self.p, Boolean)

    # -------------------------------------------------------------------------------------------------- arithmetic
    def _arithmetic(self, tag: str, other: Any, reverse: bool = False) -> Expr[Any]:
        return coercion.arithmetic(tag, self, other, reverse)

    @overload
    def __add__(
        self: Node[datetime] | Node[date] | Node[datetime | None], other: timedelta | Node[timedelta]
    ) -> Expr[datetime]: ...
    @overload
    def __add__(self: Node[Decimal] | Node[Decimal | None], other: _Decimals) -> Expr[Decimal]: ...
    @overload
    def __add__(self, other: T_co | Node[T_co] | Node[T_co | None]) -> Expr[T_co]: ...  # pyright: ignore[reportGeneralTypeIssues]
    def __add__(self, other: Any) -> Expr[Any]:
        return self._arithmetic("+", other)

    @overload
    def __sub__(self: Node[datetime] | Node[datetime | None], other: timedelta | Node[timedelta]) -> Expr[datetime]: ...
    @overload
    def __sub__(self: Node[datetime] | Node[datetime | None], other: datetime | Node[datetime]) -> Expr[timedelta]: ...
    @overload
    def __sub__(self: Node[Decimal] | Node[Decimal | None], other: _Decimals) -> Expr[Decimal]: ...
    @overload
    def __sub__(self, other: T_co | Node[T_co] | Node[T_co | None]) -> Expr[T_co]: ...  # pyright: ignore[reportGeneralTypeIssues]
    def __sub__(self, other: Any) -> Expr[Any]:
        return self._arithmetic("-", other)

    @overload
    def __mul__(self: Node[Decimal] | Node[Decimal | None], other: _Decimals) -> Expr[Decimal]: ...
    @overload
    def __mul__(self: Node[int] | Node[int | None], other: Decimal | Node[Decimal]) -> Expr[Decimal]: ...
    @overload
    def __mul__(self: Node[timedelta], other: int | float | Node[int] | Node[float]) -> Expr[timedelta]: ...
    @overload
    def __mul__(self, other: T_co | Node[T_co] | Node[T_co | None]) -> Expr[T_co]: ...  # pyright: ignore[reportGeneralTypeIssues]
    def __mul__(self, other: Any) -> Expr[Any]:
        return self._arithmetic("*", other)

    @overload
    def __truediv__(self: Node[Decimal] | Node[Decimal | None], other: _Decimals) -> Expr[Decimal]: ...
    @overload
    def __truediv__(self, other: T_co | Node[T_co] | Node[T_co | None]) -> Expr[T_co]: ...  # pyright: ignore[reportGeneralTypeIssues]
    def __truediv__(self, other: Any) -> Expr[Any]:
        return self._arithmetic("/", other)

    def __mod__(self, other: T_co | Node[T_co] | Node[T_co | None]) -> Expr[T_co]:  # pyright: ignore[reportGeneralTypeIssues]
        return self._arithmetic("%", other)

    def __pow__(self, other: int | float | Decimal | Node[Any]) -> Expr[Any]:
        return self._arithmetic("^", other)

    def __radd__(self, other: Any) -> Expr[T_co]:
        return self._arithmetic("+", other, True)

    def __rsub__(self, other: Any) -> Expr[Any]:
        return self._arithmetic("-", other, True)

    def __rmul__(self, other: Any) -> Expr[T_co]:
        return self._arithmetic("*", other, True)

    def __rtruediv__(self, other: Any) -> Expr[Any]:
        return self._arithmetic("/", other, True)

    def __rmod__(self, other: Any) -> Expr[Any]:
        return self._arithmetic("%", other, True)

    def __neg__(self) -> Expr[T_co]:
        """Minus in arithmetic, DESC inside order_by()."""
        s = self.s
        if type(s) is tuple and s[0] == "neg":
            return coercion.built(s[1], self.p, self.t)
        return coercion.built(("neg", s), self.p, self.t)

    def __pos__(self) -> Expr[T_co]:
        """The expression itself: ascending inside order_by()."""
        return coercion.built(self.s, self.p, self.t)

    # ------------------------------------------------------------------------------------------------------ traps
    def __bool__(self) -> NoReturn:
        raise TypeError(_NO_TRUTH)

    if TYPE_CHECKING:
        __iter__: ClassVar[None]
        __contains__: ClassVar[None]
    else:

        def __iter__(self) -> NoReturn:
            raise TypeError(_NO_ITERATION)

        def __contains__(self, item: Any) -> NoReturn:
            raise TypeError(_NO_ITERATION)

    def __repr__(self) -> str:
        return coercion.shown(type(self).__name__, self.s)


_Decimals: TypeAlias = "Decimal | int | Node[Decimal] | Node[Decimal | None] | Node[int] | Node[int | None]"
coercion.register_node(Node)
