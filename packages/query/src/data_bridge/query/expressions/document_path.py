"""Paths into JSON documents: ``Product.category.name``, ``Product.variants[0].price``."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from data_bridge.core import quote_literal

from .._names import digest, unknown
from ..types.shape import Shape
from ..types.sql_types import Boolean, SQLType, Text
from .column import ColumnProxy
from .document import untyped_member
from .document_keys import step_of
from .expr import Built, Expr
from .node import Node, Params, Structure, T_co

__all__ = ["RESERVED", "DocumentColumn", "DocumentPath", "column_class", "label_of"]

Step = str | int

RESERVED = frozenset({"s", "p", "t"})
"""What every expression consists of: no field of a document can be an attribute under these names."""

_depth: ContextVar[int] = ContextVar("_depth", default=0)
"""How many conditions on elements are being written around this one."""


class _Elements(Expr[T_co]):
    """What documents have beside the methods of every expression: their members, and conditions on their elements."""

    __slots__ = ()

    _members: dict[Step, Any]

    @property
    def _root(self) -> DocumentColumn[Any] | None:
        """The column that the document is in; None for an element inside any()."""
        raise NotImplementedError  # pragma: no cover - both classes have it

    @property
    def _steps(self) -> tuple[Step, ...]:
        """The names and positions that lead here from the column."""
        raise NotImplementedError  # pragma: no cover - both classes have it

    # ----------------------------------------------------------------------------------------------------- members
    def __getattr__(self, name: str) -> DocumentPath[Any]:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._member(name)

    def _member(self, name: str, method: Callable[..., Any] | None = None) -> DocumentPath[Any]:
        found = self._members.get(name)
        if found is None:
            found = self._members[name] = self._made(name, method)
        return found

    def _made(self, name: str, method: Callable[..., Any] | None) -> DocumentPath[Any]:
        shape = None if self.t is None else self.t.shape
        member = None if shape is None else shape.member(name)
        if member is not None:
            return self._step(member.key, member.type, method)
        owner = self.__owner__ or "the document"
        if shape is not None and shape.names() and not shape.is_open():
            raise AttributeError(unknown(name, "field", [*shape.names()], shape.label))
        if shape is not None and shape.item() is not None:
            raise AttributeError(
                f"{owner} is a list, which has no field {name!r}: write [0].{name}, or any(lambda x: x.{name} …)"
            )
        raise AttributeError(f"{owner} has no attribute {name!r}: [{name!r}] is the member of this name")

    def __getitem__(self, key: Any) -> DocumentPath[Any]:
        """A field by its name, or by its name in the document; an element by its position, counted from 0."""
        family = None if self.t is None else self.t.family
        if family == "json" and not isinstance(key, slice | Node):
            key = step_of(self.t, key, self.__owner__)
        if family != "json" or not isinstance(key, str | int) or isinstance(key, bool):
            other: Any = super().__getitem__(key)
            return other  # type: ignore[no-any-return]
        found: DocumentPath[Any] | None = self._members.get(key)
        if found is None:
            found = self._members[key] = self._at(key)
        return found

    def _at(self, key: Step) -> DocumentPath[Any]:
        shape = None if self.t is None else self.t.shape
        if shape is not None:
            if isinstance(key, str) and (shape.names() and not shape.is_open()):
                return self._made(key, None)
            member = shape.member(key) if isinstance(key, str) else None
            if member is not None:
                return self._step(member.key, member.type)
            of = shape.item() if isinstance(key, int) else shape.value()
            if of is not None:
                return self._step(key, of, known=isinstance(key, int))
            if (isinstance(key, int) and shape.names()) or (isinstance(key, str) and shape.item() is not None):
                kind = "a list" if isinstance(key, str) else f"a {shape.label}"
                raise TypeError(f"{self.__owner__} is {kind}, which has no [{key!r}]")
        s, p, t = untyped_member(self, key)
        return DocumentPath(s, p, t, self._root, (*self._steps, key), f"{self.__owner__}[{key!r}]")

    def _step(
        self, key: Step, of: SQLType, method: Callable[..., Any] | None = None, *, known: bool = True
    ) -> DocumentPath[Any]:
        if known:
            # In the text, so that an index on the path serves the query.
            name: Structure = ("raw", quote_literal(key).lstrip() if isinstance(key, str) else str(key))
            p = self.p
        else:
            name, p = ("$", "text"), (*self.p, key)
        if of.family == "json":
            s: Structure = ("->", self.s, name)
        else:
            s = ("->>", self.s, name)
            if of.name != Text.name:
                s = ("cast", s, of.name)
        owner = f"{self.__owner__}.{key}" if known and isinstance(key, str) else f"{self.__owner__}[{key!r}]"
        return DocumentPath(s, p, of, self._root, (*self._steps, key), owner, method)

    # ---------------------------------------------------------------------------------------------------- elements
    def any(self, condition: Callable[[Any], Any] | None = None, **equals: Any) -> Expr[bool]:
        """Whether a list has an element for which the condition is true: a function of the element, or equalities of its
        fields. A document that is not a list has none.

        `Product.variants.any(lambda v: v.price > 10, colour="red")`
        """
        of = None if self.t is None or self.t.shape is None else self.t.shape.item()
        if of is None:
            raise TypeError(
                f"{self.__owner__} is not known to be a list of documents: any() has no elements to look at"
            )
        depth = _depth.get()
        alias = _alias(f"{self.__owner__}.item" + ("" if not depth else f".{depth}"))
        element = self._element(alias, of)
        conditions: list[Node[Any]] = []
        if condition is not None:
            token = _depth.set(depth + 1)
            try:
                made = condition(element)
            finally:
                _depth.reset(token)
            if not isinstance(made, Node):
                raise TypeError(f"the function of any() returns a condition, not {type(made).__name__}")
            conditions.append(made)  # pyright: ignore[reportUnknownArgumentType]
        conditions += [element[name] == value for name, value in equals.items()]
        whole = ("cast", self.s, "jsonb") if self.t is not None and self.t.name == "json" else self.s
        # A document may be something else than a list, JSON's null for one, which jsonb_array_elements() refuses.
        is_list = ("=", ("call", "jsonb_typeof", whole), ("raw", "'array'"))
        elements = ("call", "jsonb_array_elements", ("case", None, ((is_list, whole),), None))
        where = tuple(c.s for c in conditions) or None
        s = ("select", ("func", elements, alias, ("item",), None), (), where, None, None, None, None)
        return Built(("exists", s), (*self.p, *self.p, *(v for c in conditions for v in c.p)), Boolean)

    def _element(self, alias: str, of: SQLType) -> DocumentPath[Any]:
        s: Structure = ("col", alias, "item")
        if of.family != "json":
            s = ("#>>", s, ("raw", "'{}'"))
            if of.name != Text.name:
                s = ("cast", s, of.name)
        return DocumentPath(s, (), of, None, (), f"{self.__owner__}[]")

    def none(self, condition: Callable[[Any], Any] | None = None, **equals: Any) -> Expr[bool]:
        """Whether a list has no element for which the condition is true."""
        return ~self.any(condition, **equals)

    def all(self, condition: Callable[[Any], Any] | None = None, **equals: Any) -> Expr[bool]:
        """Whether the condition is true for every element of a list; true without elements."""
        made = [] if condition is None else [condition]

        def fails(element: Any) -> Expr[bool]:
            whole: Any = None
            for part in (*(c(element) for c in made), *(element[n] == v for n, v in equals.items())):
                whole = part if whole is None else whole & part
            if whole is None:
                raise TypeError("all() needs a condition")
            return Built(("is", whole.s, "not true"), whole.p, Boolean)

        return self.none(fails)


class DocumentColumn(ColumnProxy[T_co], _Elements[T_co]):
    """A JSON column. Where the model of the documents is known, their fields are attributes: ``Product.category.name``.

    A field that is called like a method of columns is both: ``Product.category.label == "x"`` is the field,
    ``Product.category.label("x")`` the method.
    """

    __slots__ = ("_members",)

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._members = {}

    @property
    def _root(self) -> DocumentColumn[Any]:
        return self

    @property
    def _steps(self) -> tuple[Step, ...]:
        return ()


class DocumentPath(_Elements[T_co]):
    """A part of a document: a condition, an order, a result, an index, and the place that update() sets."""

    __slots__ = ("_called_as", "_document", "_members", "_owner", "_path")

    def __new__(cls, s: Structure, p: Params, t: SQLType | None, *_: Any, **__: Any) -> Any:  # pyright: ignore[reportInconsistentConstructor]
        """A path whose class has the fields of its shape that are called like methods of expressions."""
        return object.__new__(_class_of(cls, t))

    def __init__(
        self,
        s: Structure,
        p: Params,
        t: SQLType | None,
        root: DocumentColumn[Any] | None,
        steps: tuple[Step, ...],
        owner: str,
        method: Callable[..., Any] | None = None,
    ) -> None:
        super().__init__(s, p, t)
        self._document = root
        self._path = steps
        self._owner = owner
        self._called_as = method
        self._members = {}

    @property
    def _root(self) -> DocumentColumn[Any] | None:
        return self._document

    @property
    def _steps(self) -> tuple[Step, ...]:
        return self._path

    @property
    def __owner__(self) -> str:
        """How messages call it: "Product.category.name"."""
        return self._owner

    @property
    def __document__(self) -> tuple[DocumentColumn[Any] | None, tuple[Step, ...]]:
        """The column that the document is in, and the names and positions that lead to the part."""
        return self._document, self._path

    def bind(self, value: Any) -> Any:
        """The value as it is compared with this part; EncodeError naming the part when it does not fit."""
        return value if self.t is None else self.t.bind(value, self._owner)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """The method of expressions that has the name of this field."""
        if self._called_as is None:
            raise TypeError(f"{self._owner} is a field of a document, not a method")
        return self._called_as(*arguments, **options)

    __hash__ = object.__hash__

    if not TYPE_CHECKING:
        # A member that is not there and one that is JSON's null are both NULL to those who ask for the Python value.

        def __eq__(self, other):
            return self.is_null() if other is None else super().__eq__(other)

        def __ne__(self, other):
            return self.is_not_null() if other is None else super().__ne__(other)

        def is_null(self):
            """Whether there is no such member, or JSON's null."""
            return Built(("is", _text(self.s), "null"), self.p, Boolean)

        def is_not_null(self):
            """Whether there is such a member, and it is not JSON's null."""
            return Built(("is", _text(self.s), "not null"), self.p, Boolean)


def label_of(path: DocumentPath[Any]) -> str:
    """What a part of a document is called in a result: by the last name that leads to it."""
    _, steps = path.__document__
    return next((step for step in reversed(steps) if isinstance(step, str)), "item")


def _text(s: Structure) -> Structure:
    return ("->>", *s[1:]) if type(s) is tuple and s[0] == "->" else s  # pyright: ignore[reportUnknownVariableType]


def _alias(label: str) -> str:
    """The name of the elements inside any(), which no table of a user looks like."""
    encoded = label.encode()
    if len(encoded) <= 63:
        return label
    return encoded[:48].decode(errors="ignore") + "." + digest(encoded)[:12]


class _Field:
    """A field of a document whose name is that of a method of expressions."""

    __slots__ = ("_called_as", "_name")

    def __init__(self, name: str, method: Any) -> None:
        self._name = name
        self._called_as = method

    def __get__(self, instance: Any, owner: Any) -> Any:
        if instance is None:
            return self
        method = self._called_as
        bound = method.__get__(instance, owner) if hasattr(method, "__get__") else None
        return instance._member(self._name, bound)


def _class_of(cls: type[Any], of: SQLType | None) -> type[Any]:
    """The class of a column or path of this type: one of its own where fields are called like methods."""
    shape: Shape | None = None if of is None else of.shape
    if shape is None:
        return cls
    found = shape.columns.get(cls)
    if found is None:
        clashing = [n for n in shape.names() if n not in RESERVED and hasattr(cls, n)]
        fields = {name: _Field(name, getattr(cls, name)) for name in clashing}
        made = type(cls.__name__, (cls,), {"__slots__": (), "__doc__": cls.__doc__, **fields}) if fields else cls
        found = shape.columns[cls] = made
    return found


def column_class(of: SQLType | None) -> type[ColumnProxy[Any]]:
    """The class of a column of this type."""
    if of is None or of.family != "json":
        return ColumnProxy
    return _class_of(DocumentColumn, of)
