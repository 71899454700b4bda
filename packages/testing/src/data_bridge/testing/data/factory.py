"""`Factory`: valid rows of a Table class, with their parents."""

from __future__ import annotations

import inspect
import itertools
import typing
import weakref
from collections.abc import Iterator
from typing import Any, ClassVar, Generic, TypeVar

from data_bridge.core import ConfigurationError
from data_bridge.testing.data.columns import ModelColumn, model_columns
from data_bridge.testing.data.values import value_for

__all__ = ["Factory", "SubFactory", "Trait"]

T = TypeVar("T")
ATTEMPTS = 200


class SubFactory:
    """A value that is a row of its own: `author = SubFactory(UserFactory, name="Ann")`.

    On a foreign key column the value is the row's key; the row is created first.
    """

    def __init__(self, factory: type[Factory[Any]], **overrides: Any) -> None:
        self.factory = factory
        self.overrides = overrides


class Trait:
    """Values that belong together and are switched on by name: `admin = Trait(role="admin")`, `create(admin=True)`."""

    def __init__(self, **values: Any) -> None:
        self.values = values


class Factory(Generic[T]):
    """Makes rows of a Table class that its types and constraints accept.

    A class attribute gives the value of a field: a plain value, a function of the row's number, or a SubFactory. What is
    not given is invented: required fields get a valid value, the n-th row always the same one; optional fields and what
    the database fills are left out; required foreign keys get a parent of their own.

    >>> class UserFactory(Factory[User]):
    ...     email = lambda n: f"user{n}@example.com"
    ...     admin = Trait(role="admin")
    >>> user = UserFactory.build(name="Ann")        # no database
    >>> async def test(db):
    ...     users = await UserFactory.create_batch(10, admin=True)      # one INSERT
    """

    model: ClassVar[Any] = None
    _numbers: ClassVar[weakref.WeakKeyDictionary[Any, Iterator[int]]] = weakref.WeakKeyDictionary()
    _made: ClassVar[dict[Any, type[Factory[Any]]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for base in vars(cls).get("__orig_bases__", ()):
            if typing.get_origin(base) is Factory and not isinstance(base.__args__[0], TypeVar):
                cls.model = base.__args__[0]

    @classmethod
    def of(cls, model: type[T]) -> type[Factory[T]]:
        """The factory of a class that has none of its own; the same one each time."""
        if model not in cls._made:
            cls._made[model] = type(f"{model.__name__}Factory", (Factory,), {"model": model})
        return cls._made[model]

    @classmethod
    def build(cls, **overrides: Any) -> T:
        """An instance that is not saved; nothing is asked of a database. A SubFactory is built alike.

        Raises:
            ConfigurationError: a value could not be invented, or a name is not a field.
        """
        n = cls._number()
        values = cls._values(n, overrides)
        for key, value in list(values.items()):
            if isinstance(value, SubFactory):
                built = cls._as_value(key, value.factory.build(**value.overrides))
                # A parent that is not saved has no key yet.
                values[key] = value_for(model_columns(cls._model())[key], cls.__name__, n) if built is None else built
        return cls._instance(values)

    @classmethod
    async def create(cls, **overrides: Any) -> T:
        """A saved row; required parents are created first."""
        (row,) = await cls.create_batch(1, **overrides)
        return row

    @classmethod
    async def create_batch(cls, n: int, **overrides: Any) -> list[T]:
        """`n` saved rows in one INSERT, and one INSERT for each table of parents."""
        if n < 1:
            return []
        batch = [cls._values(cls._number(), overrides, parents=True) for _ in range(n)]
        for key in {key for values in batch for key, value in values.items() if isinstance(value, SubFactory)}:
            await cls._fill(batch, key)
        rows: list[T] = await cls._model().insert_many([cls._instance(values) for values in batch])
        return rows

    @classmethod
    def reset(cls) -> None:
        """Number the rows of the class from 1 again, in all its factories."""
        cls._numbers.pop(cls._model(), None)

    # ---------------------------------------------------------------------------------------------- internals
    @classmethod
    def _model(cls) -> Any:
        if cls.model is None:
            raise ConfigurationError(f"{cls.__name__} has no model\nhint: class {cls.__name__}(Factory[YourTable])")
        return cls.model

    @classmethod
    def _number(cls) -> int:
        """The number of the next row: one count for all factories of a class, or their unique values would meet."""
        return next(cls._numbers.setdefault(cls._model(), itertools.count(1)))

    @classmethod
    async def _fill(cls, batch: list[dict[str, Any]], key: str) -> None:
        """Create the rows behind one field, all of equal wishes at once."""
        wishes = [values for values in batch if isinstance(values.get(key), SubFactory)]
        first: SubFactory = wishes[0][key]
        made = await first.factory.create_batch(len(wishes), **first.overrides)
        for values, row in zip(wishes, made, strict=True):
            values[key] = cls._as_value(key, row)

    @classmethod
    def _as_value(cls, key: str, row: Any) -> Any:
        column = model_columns(cls._model()).get(key)
        parent_key = None if column is None else column.key_in(type(row))
        if column is not None and parent_key is not None and not hasattr(column.annotation, "__table_def__"):
            return getattr(row, parent_key)
        return row

    @classmethod
    def _declared(cls) -> dict[str, Any]:
        found: dict[str, Any] = {}
        bases: list[type[Any]] = list(reversed(cls.__mro__))
        for base in bases:
            if issubclass(base, Factory) and base is not Factory:
                own: dict[str, Any] = dict(vars(base))  # pyright: ignore[reportUnknownArgumentType]
                found |= {key: value for key, value in own.items() if not key.startswith("_") and key != "model"}
        return {
            key: value for key, value in found.items() if not isinstance(value, classmethod | staticmethod | property)
        }

    @classmethod
    def _values(cls, n: int, overrides: dict[str, Any], *, parents: bool = False) -> dict[str, Any]:
        model = cls._model()
        columns = model_columns(model)
        declared = cls._declared()
        traits = {key: value for key, value in declared.items() if isinstance(value, Trait)}
        given = {key: value for key, value in declared.items() if key not in traits}
        for name, wanted in overrides.items():
            if name in traits:
                given |= traits[name].values if wanted else {}
        given |= {key: value for key, value in overrides.items() if key not in traits}
        unknown = [key for key in given if key not in model.model_fields]
        if unknown:
            raise ConfigurationError(
                f"{unknown[0]!r} is not a field of {model.__name__} and no trait of {cls.__name__}"
            )
        values = {key: _resolved(value, n) for key, value in given.items()}
        for column in columns.values():
            if column.key in values or column.filled or column.optional:
                continue
            if column.parents and parents:
                values[column.key] = SubFactory(cls.of(cls._only_parent(column)))
        missing = [c for c in columns.values() if c.key not in values and not c.filled and not c.optional]
        return cls._invent(model, values, missing, n)

    @classmethod
    def _only_parent(cls, column: ModelColumn) -> Any:
        """The class whose row a required foreign key gets; it must not be a guess."""
        if len(column.parents) > 1:
            names = [f"{model.__module__}.{model.__qualname__}" for model, _ in column.parents]
            raise ConfigurationError(
                f"{cls._model().__name__}.{column.key} points to a table that {len(names)} classes map:"
                f" {' and '.join(names)}"
                f"\nhint: say which one in the factory: {column.key} = SubFactory({names[0].rpartition('.')[2]}Factory)"
            )
        return next(iter(column.parents))[0]

    @classmethod
    def _invent(cls, model: Any, given: dict[str, Any], missing: list[ModelColumn], n: int) -> dict[str, Any]:
        """Invent what is missing until the checks of the table, as far as they can be told here, accept it."""
        checks = [c.check for c in model.__table_def__.constraints if c.kind == "check" and hasattr(c.check, "matches")]
        for attempt in range(ATTEMPTS):
            values = given | {column.key: value_for(column, model.__name__, n, attempt) for column in missing}
            if all(_accepts(check, model, values) for check in checks):
                return values
        raise ConfigurationError(
            f"no values for {', '.join(column.key for column in missing) or model.__name__} were found that the checks of"
            f" {model.__name__} accept\nhint: give them in {cls.__name__}"
        )

    @classmethod
    def _instance(cls, values: dict[str, Any]) -> T:
        instance: T = cls._model()(**values)
        return instance


def _resolved(value: Any, n: int) -> Any:
    return value(n) if inspect.isfunction(value) else value


def _accepts(check: Any, model: Any, values: dict[str, Any]) -> bool:
    """Whether a check holds; what only the server can decide passes."""
    names = {column.name: values.get(column.key) for column in model_columns(model).values()}
    try:
        return check.evaluate(names) is not False
    except (TypeError, LookupError, AttributeError):
        return True
