"""Relation: which columns of a class and of another belong together."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from data_bridge.core.errors import ConfigurationError, NotSaved
from data_bridge.orm.mapping.declaration import Declaration
from data_bridge.orm.mapping.settings import snake_case
from data_bridge.orm.registry import entity_of, latest, named

if TYPE_CHECKING:
    from data_bridge.orm.mapping.entity import Entity


class Reference:
    """What stands for a row of another table: its key, and the row once that is loaded."""

    __slots__ = ("_relation", "_row")

    _relation: Relation
    _row: Any

    def _loaded(self) -> Any:
        raise NotImplementedError  # pragma: no cover - Linked has it

    @property
    def pk(self) -> Any:
        """The key of the other row; a tuple for several columns."""
        raise NotImplementedError  # pragma: no cover - Linked has it


class Relation:
    """One relation of one class. What it points to is found when it is first asked for.

    Its rows are those whose `far` fields equal the `near` fields here; of a many-to-many relation `through` is between.
    """

    make_association: ClassVar[Callable[[Relation, str], tuple[Any, tuple[str, ...], tuple[str, ...]]]]
    """How an association table is made of which only the name is given: its class, and the fields for either side.
    The module of association tables, which are Tables, sets it."""

    bind_table: ClassVar[Callable[[Any, Any], Any]]
    """How a class is bound to a database; the module of bound tables sets it."""

    def __init__(self, owner: Any, declaration: Declaration) -> None:
        self.owner = owner
        self.name = declaration.name
        self.declaration = declaration
        self.kind = declaration.kind
        self.is_list = declaration.is_list
        self.label = f"{owner.__name__}.{declaration.name}"

    def forget(self) -> None:
        """Drops what was found of the other side and what was built with it: a class was defined again."""
        for name, value in vars(Relation).items():
            if isinstance(value, cached_property):
                self.__dict__.pop(name, None)
        self.__dict__.pop("_between", None)
        entity = self.entity
        # Not `paths`: a program may hold paths, whose columns a query joins by them. New paths take the places of old ones.
        for found in (entity.shapes, entity.load_hooked, entity.link_paths):
            found.clear()

    @property
    def entity(self) -> Entity:
        """Of the class that has the relation."""
        return entity_of(self.owner)

    @cached_property
    def cls(self) -> Any:
        """The class on the other side; of a bound class, it is bound to the same database."""
        return self._bound(latest(self.declaration.target.cls(self.owner)))

    def _bound(self, cls: Any) -> Any:
        database = self.owner.__dict__.get("__db_bound__")
        return cls if database is None else Relation.bind_table(cls, database)

    @cached_property
    def target(self) -> Entity:
        """Of the class on the other side."""
        return entity_of(self.cls)

    @cached_property
    def inverse(self) -> Relation | None:
        """Of a BackLink: the Link there; None when it names a plain foreign key."""
        assert self.kind == "back"
        there: dict[str, Relation] = self.target.relations
        given = self.declaration.given
        field: str | None = given.field if given is not None else None
        if field is not None:
            found = there.get(field)
            if found is None:
                found = next((r for r in there.values() if r.kind == "link" and r.near == (field,)), None)
            if found is not None and found.kind == "link":
                if found.target.table != self.entity.table:
                    raise ConfigurationError(
                        f"{self.label} = BackLink({field!r}): {found.label} points to the rows of {found.target.label}, "
                        f"not to those of {self.entity.label}"
                    )
                return found
            if field in self.target.by_key and self.target.by_key[field].spec.foreign_key is not None:
                return None
            raise ConfigurationError(
                f"{self.label} = BackLink({field!r}): {self.target.label} has no such Link or foreign key"
            )
        links = [r for r in there.values() if r.kind == "link" and r.target.table == self.entity.table]
        if len(links) != 1:
            raise ConfigurationError(
                f'{self.label}: {self.target.label} has {len(links) or "no"} Links to {self.owner.__name__}: name one, BackLink("…")'
            )
        return links[0]

    @cached_property
    def near(self) -> tuple[str, ...]:
        """The fields here."""
        if self.kind == "link":
            return self.declaration.fields
        if self.kind == "back":
            return self.inverse.far if self.inverse is not None else self._referenced()
        return self.entity.pk_keys

    def _referenced(self) -> tuple[str, ...]:
        """Of a BackLink over a plain foreign key: the fields here that the column there points to."""
        field = self.target.by_key[self.declaration.given.field]
        here = self.entity.definition
        for columns, table, referenced in self.target.definition.foreign_keys:
            if columns == (field.name,):
                if table != (here.schema, here.name):
                    raise ConfigurationError(
                        f"{self.label} = BackLink({field.key!r}): {self.target.label}.{field.key} points to the table "
                        f"{table[1]!r}, not to {here.name!r}"
                    )
                names = referenced or self.entity.pk_names
                return tuple(self.entity.source.columns[n].__column__.key for n in names)
        return self.entity.pk_keys

    @cached_property
    def far(self) -> tuple[str, ...]:
        """The fields there."""
        if self.kind == "link":
            return self.declaration.target.far_names(self.cls)
        if self.kind == "back":
            return self.inverse.near if self.inverse is not None else (self.declaration.given.field,)
        return self.target.pk_keys

    @cached_property
    def is_optional(self) -> bool:
        """Whether a row may have nothing on the other side."""
        return self.kind != "link" or any(self.entity.by_key[k].nullable for k in self.near)

    # ---------------------------------------------------------------------------------------------------- many to many
    @cached_property
    def through(self) -> Entity:
        """The table between."""
        return entity_of(self._bound(self._through()[0]))

    @cached_property
    def through_near(self) -> tuple[str, ...]:
        """The fields of the table between that hold the key here."""
        return self._through()[1]

    @cached_property
    def through_far(self) -> tuple[str, ...]:
        """The fields of the table between that hold the key there."""
        return self._through()[2]

    def through_conditions(self) -> list[Any]:
        """The conditions that join the table between to the other side."""
        between, there = self.through.columns, self.target.columns
        return [between[t] == there[f] for t, f in zip(self.through_far, self.far, strict=True)]

    def _through(self) -> tuple[Any, tuple[str, ...], tuple[str, ...]]:
        found: tuple[Any, tuple[str, ...], tuple[str, ...]] | None = self.__dict__.get("_between")
        if found is None:
            found = self.__dict__["_between"] = self._make_through()
        return found

    def _make_through(self) -> tuple[Any, tuple[str, ...], tuple[str, ...]]:
        given = self.declaration.given
        between = given.through
        if isinstance(between, str):
            cls = named(between, self.owner.__module__, self.owner.__qualname__)
            if cls is None:
                return Relation.make_association(self, between)
            between = cls
        between = latest(between)
        relations: dict[str, Relation] = entity_of(between).relations
        mine, theirs = self._sides(relations, given.near, self.owner), self._sides(relations, given.far, self.cls)
        if self.cls is self.owner and given.far is None and len(mine) == 2:
            theirs = mine[1:]
            mine = mine[:1]
        for side, links in ((self.owner.__name__, mine), (self.cls.__name__, theirs)):
            if len(links) != 1:
                raise ConfigurationError(
                    f"{self.label}: {between.__name__} has {len(links) or 'no'} Links to {side}: name them with near= and far="
                )
        return between, mine[0].near, theirs[0].near

    @staticmethod
    def _sides(relations: dict[str, Relation], name: str | None, cls: Any) -> list[Relation]:
        links = [r for r in relations.values() if r.kind == "link"]
        table = entity_of(cls).table
        mine = [r for r in links if r.target.table == table]
        return mine if name is None else [r for r in mine if r.name == name or r.near == (name,)]

    # -------------------------------------------------------------------------------------------------------- values
    def _refusal(self, given: str) -> TypeError:
        """What the relation raises for a row of another table."""
        name = self.cls.__name__
        takes = f"a row of {name}" + ("" if self.is_list or self.kind == "many" else " or its key")
        return TypeError(f"{self.label} takes {takes}, not a {given}, which is a row of another table")

    def other_side(self, value: Any) -> Any:
        """The row or the key that a value stands for: a Linked stands for its row, or for the key while that is not loaded.

        Raises:
            TypeError: for a row of another table, and for a Linked that points to one.
        """
        if isinstance(value, Reference):
            found = value._loaded()
            if found is None:
                there = value._relation
                if there.target.table != self.target.table or there.far != self.far:
                    raise self._refusal(f"link to {there.target.label}")
                return value.pk
            value = found
        if getattr(value.__class__, "__db__", None) is not None and not self.target.holds(value):
            raise self._refusal(type(value).__name__)
        return value

    def key_of(self, other: Any) -> tuple[Any, ...]:
        """The values of a link's columns for a row of the other side, a Linked, a key or None.

        Raises:
            NotSaved: the row has no key yet.
            TypeError: for a row of another table.
        """
        if other is None:
            return (None,) * len(self.near)
        other = self.other_side(other)
        if self.target.holds(other):
            key = tuple(other.__dict__.get(k) for k in self.far)
            if None in key:
                raise NotSaved(f"{self.label} is a {self.cls.__name__} that is not in the database: save it first")
            return key
        if len(self.near) == 1:
            return (other,)
        return tuple(other)

    def side_name(self, cls: Any) -> str:
        """How the columns of a table between are called for a class."""
        return snake_case(cls.__name__.partition("[")[0])

    def __repr__(self) -> str:
        return f"<Relation {self.label}>"


def of_class(cls: Any) -> dict[str, Relation]:
    """The relations of a class and of those it inherits from, by name."""
    declared: dict[str, Declaration] = {}
    for base in reversed(cls.__mro__):
        declared.update(base.__dict__.get("__db_declared__", {}))
    return {name: Relation(cls, d) for name, d in declared.items()}
