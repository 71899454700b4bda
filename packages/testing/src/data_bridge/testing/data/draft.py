"""The values of one row before it exists: what was given, the rows it points to, and what is invented."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Protocol

from data_bridge.core import ConfigurationError
from data_bridge.testing.data.checks import Check, checks_of
from data_bridge.testing.data.columns import ModelColumn, model_columns, model_links
from data_bridge.testing.data.values import value_for

__all__ = ["Draft", "Facts", "SubFactory", "Trait"]

ATTEMPTS = 200


class MakesRows(Protocol):
    """A class of factories, as rows that point to its own see it."""

    def build(self, **overrides: Any) -> Any:
        """Returns an instance that is not saved."""
        ...

    async def create_batch(self, n: int, *, tx: Any = None, using: Any = None, **overrides: Any) -> list[Any]:
        """Returns saved rows."""
        ...


class SubFactory:
    """A value that is a row of its own: `author = SubFactory(UserFactory, name="Ann")`.

    On a Link the value is the row, on a foreign key column its key; the row is created first.
    """

    def __init__(self, factory: MakesRows, **overrides: Any) -> None:
        self.factory = factory
        self.overrides = overrides


class Trait:
    """Values that belong together and are switched on by name: `admin = Trait(role="admin")`, `create(admin=True)`."""

    def __init__(self, **values: Any) -> None:
        self.values = values


@dataclass(frozen=True, slots=True)
class Facts:
    """What a Table class asks of its rows."""

    model: Any
    columns: dict[str, ModelColumn]
    links: dict[str, tuple[Any, tuple[str, ...], bool]]
    checks: list[Check]

    @classmethod
    def of(cls, model: Any) -> Facts:
        """Read them from the class."""
        return cls(model, model_columns(model), model_links(model), checks_of(model.__table_def__))


class Draft:
    """The values of one row.

    Raises:
        ConfigurationError: a name is not a field, Link or trait.
    """

    def __init__(self, facts: Facts, factory: str, n: int, given: dict[str, Any]) -> None:
        model = self._model = facts.model
        self._factory = factory
        self._n = n
        self._columns, self._links, self._checks = facts.columns, facts.links, facts.checks
        for key in given:
            if key not in model.model_fields and key not in self._links:
                raise ConfigurationError(
                    f"{key!r} is not a field or Link of {model.__name__} and no trait of {factory}"
                )
        self._dependent: dict[str, Callable[[int, Any], Any]] = {}
        self._values: dict[str, Any] = {}
        for key, value in given.items():
            if inspect.isfunction(value) and len(inspect.signature(value).parameters) == 2:
                self._dependent[key] = value
            else:
                self._values[key] = value(n) if inspect.isfunction(value) else value

    def wishes(self) -> list[tuple[str, SubFactory]]:
        """The rows that have to be made first, by the field or Link that points to them."""
        return [(key, value) for key, value in self._values.items() if isinstance(value, SubFactory)]

    def settle(self, key: str, row: Any) -> None:
        """Put a row in the place of a wish; a foreign key column holds its key."""
        column = self._columns.get(key)
        parent_key = None if column is None else column.key_in(type(row))
        if parent_key is None:
            self._values[key] = row
            return
        value = getattr(row, parent_key)
        if value is None:
            del self._values[key]  # a parent that is not saved has no key yet: one is invented
        else:
            self._values[key] = value

    def add_parents(self, factory_of: Callable[[Any], MakesRows]) -> None:
        """Wish for the rows that required foreign keys point to."""
        taken = self._taken()
        for name, (parent, fields, optional) in self._links.items():
            if not optional and len(fields) > 1 and not taken.intersection(fields):
                self._values[name] = SubFactory(factory_of(parent))
        for column in self._missing():
            if column.parents:
                self._values[column.key] = SubFactory(factory_of(self._only_parent(column)))

    def finished(self) -> dict[str, Any]:
        """The values of all fields: what is missing is invented until the checks of the table accept the row.

        Raises:
            ConfigurationError: no value can be invented, or a check of an invented value can be read only by the server.
        """
        missing = self._missing()
        self._refuse_unreadable(missing)
        failed: Check | None = None
        for attempt in range(ATTEMPTS):
            invented = {column.key: value_for(column, self._model.__name__, self._n, attempt) for column in missing}
            values = self._with_dependent(self._values | invented)
            known = self._known(values)
            failed = next((check for check in self._checks if not check.accepts(known)), None)
            if failed is None or not missing:
                return values
        assert failed is not None
        raise ConfigurationError(
            f"no values for {', '.join(column.key for column in missing)} were found that the check ({failed.shown}) of"
            f" {self._model.__name__} accepts\nhint: give them in {self._factory}"
        )

    def _taken(self) -> set[str]:
        """The fields that have a value: their own, or that of their Link."""
        given = {*self._values, *self._dependent}
        return given.union(*(fields for name, (_, fields, _) in self._links.items() if name in given))

    def _missing(self) -> list[ModelColumn]:
        taken = self._taken()
        return [
            column
            for column in self._columns.values()
            if column.key not in taken and not column.filled and not column.optional
        ]

    def _with_dependent(self, values: dict[str, Any]) -> dict[str, Any]:
        for key, function in self._dependent.items():
            values[key] = function(self._n, _Row(self._factory, self._defaults() | values))
        return values

    def _defaults(self) -> dict[str, Any]:
        fields = self._model.model_fields
        return {key: fields[key].get_default() for key in self._columns if not fields[key].is_required()}

    def _known(self, values: dict[str, Any]) -> dict[str, Any]:
        """The values by column, as far as they are known before the database fills the rest."""
        known: dict[str, Any] = {}
        for key, column in self._columns.items():
            if key in values:
                known[column.name] = values[key]
            elif column.optional and not column.filled:
                known[column.name] = None
            elif (default := self._defaults().get(key)) is not None:
                known[column.name] = default
        return known

    def _refuse_unreadable(self, missing: list[ModelColumn]) -> None:
        for check in self._checks:
            invented = [column.key for column in missing if column.name in check.columns]
            if check.condition is None and invented:
                raise ConfigurationError(
                    f"{self._factory} cannot read the check ({check.shown}) of {self._model.__name__}, so that it has no"
                    f" values for {', '.join(invented)}\nhint: give them in the factory: {invented[0]} = lambda n: …"
                )

    def _only_parent(self, column: ModelColumn) -> Any:
        """The class whose row a required foreign key gets; it must not be a guess."""
        link = next((parent for parent, fields, _ in self._links.values() if fields == (column.key,)), None)
        if link is not None:
            return link
        if len(column.parents) > 1:
            names = [f"{model.__module__}.{model.__qualname__}" for model, _ in column.parents]
            raise ConfigurationError(
                f"{self._model.__name__}.{column.key} points to a table that {len(names)} classes map:"
                f" {' and '.join(names)}"
                f"\nhint: say which one in the factory: {column.key} = SubFactory({names[0].rpartition('.')[2]}Factory)"
            )
        return next(iter(column.parents))[0]


class _Row(SimpleNamespace):
    """What a function of two parameters gets: the values of its row so far."""

    def __init__(self, factory: str, values: dict[str, Any]) -> None:
        super().__init__(**values)
        self._factory = factory

    def __getattr__(self, name: str) -> Any:
        raise ConfigurationError(
            f"a value of {self.__dict__['_factory']} depends on {name!r}, which has no value yet"
            "\nhint: give it in the factory, before the value that depends on it"
        )
