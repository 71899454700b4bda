"""`Factory`: valid rows of a Table class, with their parents."""

from __future__ import annotations

import typing
from typing import Any, ClassVar, Generic, TypeVar

from data_bridge.core import ConfigurationError
from data_bridge.testing.data import numbering
from data_bridge.testing.data.draft import Draft, Facts, Trait

__all__ = ["Factory"]

T = TypeVar("T")
M = TypeVar("M")


class Factory(Generic[T]):
    """Makes rows of a Table class that its types and constraints accept.

    A class attribute is the value of a field or Link: a plain value, a SubFactory, or a function of the row's number. A
    function with two parameters also gets the row so far, `lambda n, row: row.name.lower()`, and runs when its other values
    are known. What is not given is invented: required fields get a valid value, the n-th row of a test always the same one;
    optional fields and what the database fills are left out; required foreign keys get a parent of their own.

    Simple CHECK constraints are obeyed: comparisons, BETWEEN, IN, LIKE, IS NULL, arithmetic and lengths, with AND, OR and NOT.

    >>> from data_bridge.postgres import Col, IdMixin, Link
    >>> from data_bridge.testing import Factory, SubFactory, Trait
    >>> class Team(IdMixin):
    ...     name: Col[str]
    >>> class User(IdMixin):
    ...     email: Col[str]
    ...     role: Col[str]
    ...     team: Link[Team]
    >>> class TeamFactory(Factory[Team]):
    ...     name = "red"
    >>> class UserFactory(Factory[User]):
    ...     email = lambda n: f"user{n}@example.com"
    ...     role = "guest"
    ...     team = SubFactory(TeamFactory, name="blue")
    ...     admin = Trait(role="admin")
    >>> UserFactory.build(admin=True).role  # no database
    'admin'
    >>> async def test_admins(db):
    ...     users = await UserFactory.create_batch(10, admin=True)  # one INSERT for the teams, one for the users
    """

    model: ClassVar[Any] = None
    _made: ClassVar[dict[Any, type[Factory[Any]]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for base in vars(cls).get("__orig_bases__", ()):
            if typing.get_origin(base) is Factory and not isinstance(base.__args__[0], TypeVar):
                cls.model = base.__args__[0]

    @classmethod
    def of(cls, model: type[M]) -> type[Factory[M]]:
        """The factory of a class that has none of its own; the same one each time."""
        if model not in cls._made:
            cls._made[model] = type(f"{model.__name__}Factory", (Factory,), {"model": model})
        return cls._made[model]

    @classmethod
    def build(cls, **overrides: Any) -> T:
        """Returns an instance that is not saved; nothing is asked of a database. A SubFactory is built alike.

        Raises:
            ConfigurationError: a value could not be invented, a check could not be read, or a name is not a field.
        """
        (row,) = cls.build_batch(1, **overrides)
        return row

    @classmethod
    def build_batch(cls, n: int, **overrides: Any) -> list[T]:
        """Returns `n` instances that are not saved; nothing is asked of a database.

        Raises:
            ConfigurationError: as of `build`.
        """
        rows: list[T] = []
        for draft in cls._drafts(n, overrides):
            for key, wish in draft.wishes():
                draft.settle(key, wish.factory.build(**wish.overrides))
            rows.append(cls._model()(**draft.finished()))
        return rows

    @classmethod
    async def create(cls, *, tx: Any = None, using: Any = None, **overrides: Any) -> T:
        """Returns a saved row; required parents are created first.

        Args:
            tx: the transaction in which the rows are written.
            using: the alias or Database, where it is not the default one.
            overrides: values of fields and Links, and traits.

        Raises:
            ConfigurationError: as of `build`.
            IntegrityError: a constraint that cannot be decided without a server refuses the row.
        """
        (row,) = await cls.create_batch(1, tx=tx, using=using, **overrides)
        return row

    @classmethod
    async def create_batch(cls, n: int, *, tx: Any = None, using: Any = None, **overrides: Any) -> list[T]:
        """Returns `n` saved rows, written by one INSERT, and one INSERT for each table of parents.

        Args and errors are those of `create`.
        """
        if n < 1:
            return []
        executor = using if tx is None else tx
        batch = cls._drafts(n, overrides)
        for draft in batch:
            draft.add_parents(cls.of)
        for key in dict.fromkeys(key for draft in batch for key, _ in draft.wishes()):
            await cls._fill([draft for draft in batch if key in dict(draft.wishes())], key, executor)
        model = cls._model()
        rows: list[T] = await model.insert_many([model(**draft.finished()) for draft in batch], tx=executor)
        return rows

    @classmethod
    def reset(cls) -> None:
        """Number the rows of the class from 1 again, in all its factories, as each test does."""
        numbering.reset(cls._model())

    # ---------------------------------------------------------------------------------------------- internals
    @classmethod
    def _model(cls) -> Any:
        if cls.model is None:
            raise ConfigurationError(f"{cls.__name__} has no model\nhint: class {cls.__name__}(Factory[YourTable])")
        return cls.model

    @classmethod
    def _drafts(cls, n: int, overrides: dict[str, Any]) -> list[Draft]:
        model = cls._model()
        declared = cls._declared()
        traits = {key: value for key, value in declared.items() if isinstance(value, Trait)}
        given = {key: value for key, value in declared.items() if key not in traits}
        for name, wanted in overrides.items():
            if name in traits:
                given |= traits[name].values if wanted else {}
        given |= {key: value for key, value in overrides.items() if key not in traits}
        facts = Facts.of(model)
        return [Draft(facts, cls.__name__, numbering.next_number(model), given) for _ in range(n)]

    @classmethod
    async def _fill(cls, drafts: list[Draft], key: str, executor: Any) -> None:
        """Create the rows behind one field, all of equal wishes at once."""
        wish = dict(drafts[0].wishes())[key]
        made = await wish.factory.create_batch(len(drafts), tx=executor, **wish.overrides)
        for draft, row in zip(drafts, made, strict=True):
            draft.settle(key, row)

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
