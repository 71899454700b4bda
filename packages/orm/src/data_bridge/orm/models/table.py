"""Table: a Pydantic model that is a row."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, NamedTuple, Self, TypeVar, overload

from typing_extensions import deprecated

from data_bridge.orm._events import Skip, loaded
from data_bridge.orm.mapping import named_rows
from data_bridge.orm.models import pydantic_schema
from data_bridge.orm.models.bound_table import bound_table
from data_bridge.orm.models.input_model import input_model
from data_bridge.orm.models.metaclass import TableMeta, install
from data_bridge.orm.models.row import Row
from data_bridge.orm.persistence import bulk_insert, upsert
from data_bridge.orm.persistence.bulk_update import bulk_update
from data_bridge.orm.persistence.conflict import Conflict
from data_bridge.orm.persistence.single_row import row_not_found
from data_bridge.orm.queries import by_key, get_or_create
from data_bridge.orm.queries.base import PLAIN
from data_bridge.orm.queries.builder import QueryBuilder
from data_bridge.orm.queries.find_one import FindOne
from data_bridge.orm.registry import entity_of
from data_bridge.orm.schema.create import create_all, drop_all
from data_bridge.query import Expr
from data_bridge.query.ddl import create_view_operations, script
from data_bridge.query.spi import build

if TYPE_CHECKING:
    from pydantic import BaseModel

    from data_bridge.core import Database, Transaction
    from data_bridge.orm.mapping.entity import Entity
    from data_bridge.orm.persistence.merge import MergeQuery
    from data_bridge.orm.schema.diff import Difference
    from data_bridge.query import ColumnProxy, Node, TableDef


R = TypeVar("R")


class Upserted(NamedTuple, Generic[R]):
    """A row, and whether it is new."""

    row: R
    created: bool


class Table(Row, metaclass=TableMeta):
    """The base of models that map tables. A real Pydantic model: it validates, serialises, pickles.

    `User.age` is a column, `user.age` a value. What changes is tracked; save() writes just that.

    >>> from data_bridge.orm import Column, Table
    >>> class User(Table):
    ...     class Settings:
    ...         name = "users"
    ...     id: int = Column(primary_key=True, auto_increment=True)
    ...     email: str = Column(unique=True, max_length=255)
    """

    __slots__ = ()
    __is_table_root__: ClassVar[bool] = True
    if TYPE_CHECKING:
        __db__: ClassVar[Entity]
        __table_def__: ClassVar[TableDef]
        # Checkers would take a class for one that every `class Settings` below has to derive from.
        Settings: ClassVar[Any]
    else:

        class Settings:
            """Settings of the table; see the reference."""

            abstract = True

    @classmethod
    def model_rebuild(
        cls,
        *,
        force: bool = False,
        raise_errors: bool = True,
        _parent_namespace_depth: int = 2,
        _types_namespace: Any = None,
    ) -> bool | None:
        """Resolves forward references, then makes the columns."""
        if _types_namespace is None and not cls.__dict__.get("__pydantic_complete__", True):
            # The types of columns that links made, whose classes are known by now.
            if raise_errors:
                pydantic_schema.check_targets(cls)
            frame = pydantic_schema.frame_names(_parent_namespace_depth + 1)
            _types_namespace = {**frame, **pydantic_schema.key_types(cls)}
        done = super().model_rebuild(
            force=force,
            raise_errors=raise_errors,
            _parent_namespace_depth=_parent_namespace_depth + 1,
            _types_namespace=_types_namespace,
        )
        if cls.__pydantic_complete__ and cls.__dict__.get("__db__") is None and "__is_table_root__" not in cls.__dict__:
            install(cls)
        return done

    @classmethod
    async def create(cls, *, tx: Any = None, **values: Any) -> Self:
        """Makes an instance and inserts it."""
        return await cls(**values).insert(tx=tx)

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: Any, /) -> Any:
        return pydantic_schema.json_schema_of(cls, super().__get_pydantic_json_schema__(core_schema, handler), handler)

    # ---------------------------------------------------------------------------------------------- one row, by class
    @classmethod
    async def get(
        cls, pk: Any, *, for_update: bool = False, fetch_links: bool | Sequence[Any] = False, tx: Any = None
    ) -> Self:
        """The row with this key; `fetch_links` as in find().

        Raises:
            RowNotFound: there is none.
            EncodeError: the key has the wrong type.
        """
        entity = entity_of(cls)
        key = entity.key_values(pk)
        if fetch_links:
            return await by_key.get(entity, key, for_update, fetch_links, tx)  # type: ignore[no-any-return]
        ir = entity.get_ir if not for_update else build.with_clauses(entity.get_ir, build.locking())
        row = await entity.executor(tx).run(ir, key, entity.plan(many=False))
        if row is None:
            raise row_not_found(entity, key)
        if entity.has_load_hooks:
            await loaded(entity, (row,))
        return row  # type: ignore[no-any-return]

    @classmethod
    async def get_or_none(cls, pk: Any, *, tx: Any = None) -> Self | None:
        """The row with this key, or None."""
        entity = entity_of(cls)
        row: Self | None = await entity.executor(tx).run(entity.get_ir, entity.key_values(pk), entity.plan(many=False))
        if row is not None and entity.has_load_hooks:
            await loaded(entity, (row,))
        return row

    @classmethod
    async def get_many(cls, pks: Iterable[Any], *, tx: Any = None) -> dict[Any, Self]:
        """The rows with these keys (tuples where the key has several columns), by key; missing ones are left out."""
        query = by_key.with_keys(QueryBuilder.of(entity_of(cls)), list(pks))
        return {row.pk: row for row in await (query if tx is None else query.using(tx))}

    @overload
    @classmethod
    async def find_one(
        cls,
        *filters: Expr[bool] | Mapping[Any, Any],
        fetch_links: bool | Sequence[Any] = False,
        tx: Any = None,
        **equals: Any,
    ) -> Self | None: ...
    @overload
    @classmethod
    @deprecated(PLAIN)
    async def find_one(
        cls,
        *filters: Expr[bool] | Mapping[Any, Any] | bool,
        fetch_links: bool | Sequence[Any] = False,
        tx: Any = None,
        **equals: Any,
    ) -> Self | None: ...
    @classmethod
    def find_one(
        cls, *filters: Any, fetch_links: bool | Sequence[Any] = False, tx: Any = None, **equals: Any
    ) -> Coroutine[Any, Any, Any]:
        """A matching row, or None; which one of several is arbitrary."""
        entity = entity_of(cls)
        return FindOne(by_key.find_one(entity, filters, equals, fetch_links, tx), entity.label)

    @classmethod
    async def get_or_create(
        cls, defaults: Mapping[str, Any] | None = None, *, tx: Any = None, **keys: Any
    ) -> Upserted[Self]:
        """The row with these values, as they would be stored; made with `defaults` when there is none. Safe against concurrent calls."""
        return Upserted(*await get_or_create.get_or_create(cls, defaults or {}, keys, tx))

    @classmethod
    async def update_or_create(
        cls, defaults: Mapping[str, Any] | None = None, *, tx: Any = None, **keys: Any
    ) -> Upserted[Self]:
        """Updates the row with these values by `defaults`, or makes it; otherwise like get_or_create()."""
        return Upserted(*await get_or_create.update_or_create(cls, defaults or {}, keys, tx))

    # --------------------------------------------------------------------------------------------- many rows, by class
    @overload
    @classmethod
    def find(
        cls, *filters: Expr[bool] | Mapping[Any, Any], fetch_links: bool | Sequence[Any] = False, **equals: Any
    ) -> QueryBuilder[Self]: ...
    @overload
    @classmethod
    @deprecated(PLAIN)
    def find(
        cls, *filters: Expr[bool] | Mapping[Any, Any] | bool, fetch_links: bool | Sequence[Any] = False, **equals: Any
    ) -> QueryBuilder[Self]: ...
    @classmethod
    def find(cls, *filters: Any, fetch_links: bool | Sequence[Any] = False, **equals: Any) -> QueryBuilder[Self]:
        """A query for the matching rows; several filters are ANDed, keywords are equalities.

        `fetch_links=True` loads all relations with the rows, a list of them just these; see QueryBuilder.fetch_links().

        Raises:
            AttributeError: for an unknown name, with a near match.
            EncodeError: for a value that does not fit its column.
            TypeError: for a bool or None as a filter.
        """
        query = QueryBuilder.of(entity_of(cls))
        if fetch_links:
            query = by_key.with_links(query, fetch_links)
        return query._narrow(filters, equals) if filters or equals else query

    @classmethod
    def find_all(cls) -> QueryBuilder[Self]:
        """A query for all rows; unlike find() it may update() and delete() them all."""
        query = QueryBuilder.of(entity_of(cls))
        query._unfiltered = True
        return query

    @classmethod
    def all(cls) -> QueryBuilder[Self]:
        """The same as find_all()."""
        return cls.find_all()

    @overload
    @classmethod
    async def count(cls, *filters: Expr[bool] | Mapping[Any, Any], **equals: Any) -> int: ...
    @overload
    @classmethod
    @deprecated(PLAIN)
    async def count(cls, *filters: Expr[bool] | Mapping[Any, Any] | bool, **equals: Any) -> int: ...
    @classmethod
    async def count(cls, *filters: Any, **equals: Any) -> int:
        """The number of matching rows."""
        query: QueryBuilder[Any] = QueryBuilder.of(entity_of(cls))
        return await query._narrow(filters, equals).count()

    @overload
    @classmethod
    async def exists(cls, *filters: Expr[bool] | Mapping[Any, Any], **equals: Any) -> bool: ...
    @overload
    @classmethod
    @deprecated(PLAIN)
    async def exists(cls, *filters: Expr[bool] | Mapping[Any, Any] | bool, **equals: Any) -> bool: ...
    @classmethod
    async def exists(cls, *filters: Any, **equals: Any) -> bool:
        """Whether there is a matching row."""
        query: QueryBuilder[Any] = QueryBuilder.of(entity_of(cls))
        return await query._narrow(filters, equals).exists()

    @classmethod
    async def distinct(cls, column: Node[Any]) -> list[Any]:
        """The different values of a column."""
        return await QueryBuilder.of(entity_of(cls)).scalars(column).distinct().to_list()

    @classmethod
    async def update_all(cls, values: Mapping[Any, Any] | None = None, /, *operators: Any, **kw: Any) -> int:
        """Updates every row of the table."""
        return await cls.find_all().update(values, *operators, **kw)

    @classmethod
    async def delete_all(cls) -> int:
        """Deletes every row of the table."""
        return await cls.find_all().delete()

    @overload
    @classmethod
    async def insert_many(
        cls, rows: Iterable[Self | Mapping[str, Any]], *, on_conflict: Any = None, batch_size: int | None = None,
        returning: Literal[True] = True, tx: Any = None, progress: Any = None, skip_events: Skip = (),
    ) -> list[Self]: ...  # fmt: skip
    @overload
    @classmethod
    async def insert_many(
        cls, rows: Iterable[Self | Mapping[str, Any]], *, on_conflict: Any = None, batch_size: int | None = None,
        returning: Literal[False], tx: Any = None, progress: Any = None, skip_events: Skip = (),
    ) -> int: ...  # fmt: skip
    @classmethod
    async def insert_many(
        cls, rows: Iterable[Any], *, on_conflict: Any = None, batch_size: int | None = None, returning: bool = True, tx: Any = None,
        progress: Any = None, skip_events: Skip = (),
    ) -> Any:  # fmt: skip
        """Inserts many rows, all or none: one statement for up to 10,000, several in a transaction beyond that.

        Keys and server defaults are set on the given instances, in their order.

        Args:
            rows: instances or mappings.
            on_conflict: "nothing", or a Conflict; then only written rows come back: those of the given instances, which have
                their keys and what the database has, while the others stay new.
            batch_size: rows per statement.
            returning: False returns the number of rows and leaves the instances as they are.
            progress: called with the number of rows written so far; see progress_bar().
            skip_events: events, or names of functions, that do not run for the rows; True for all.

        Raises:
            IntegrityError: a constraint refuses a row; `row_index` of the error says which one, counted from 0.
        """
        return await bulk_insert.insert_many(
            entity_of(cls), rows, on_conflict, batch_size, returning, tx, progress, skip_events
        )

    @classmethod
    async def bulk_update(
        cls, rows: Iterable[Self], fields: Sequence[Any] | None = None, *, skip_events: Skip = (), tx: Any = None
    ) -> int:
        """Writes the changes of many loaded rows, or these fields of them, by one statement per 10,000 rows.

        Gives the number of rows that were still there.

        Raises:
            IntegrityError: a constraint refuses a row; `row_index` of the error says which one, counted from 0.
            RevisionConflict: with Settings.use_revision, when one of them was changed meanwhile; none is written.
        """
        return await bulk_update(entity_of(cls), rows, fields, skip_events, tx)

    @classmethod
    async def upsert(
        cls, row: Any, *, conflict: Sequence[Any] | Conflict, update: Any = None, skip_events: Skip = (), tx: Any = None
    ) -> Upserted[Self]:
        """INSERT … ON CONFLICT (conflict) DO UPDATE of `update`: fields, or a mapping of them to values and expressions; by
        default the fields that were given, but the key. Nothing else is written, and a row deleted softly stays deleted.
        RevisionConflict when a revision was given that the row does not have.
        """
        return (await cls.upsert_many([row], conflict=conflict, update=update, skip_events=skip_events, tx=tx))[0]

    @classmethod
    async def upsert_many(
        cls,
        rows: Iterable[Any],
        *,
        conflict: Sequence[Any] | Conflict,
        update: Any = None,
        skip_events: Skip = (),
        tx: Any = None,
    ) -> list[Upserted[Self]]:
        """The same for many rows, by one statement."""
        made = await upsert.upsert_many(entity_of(cls), rows, conflict, update, skip_events, tx)
        return [Upserted(*pair) for pair in made]

    @classmethod
    async def insert_from(
        cls, query: Any, columns: Sequence[Any] | None = None, *, on_conflict: Any = None, tx: Any = None
    ) -> int:
        """INSERT … SELECT: the rows of a query, which never leave the server; returns their number.

        Args:
            query: a query of tuples, of another Table or of data_bridge.query.
            columns: the fields of its rows, in order; by default those with the names of its result.
            on_conflict: "nothing", or a Conflict.
            tx: a transaction or database to run on.
        """
        return await upsert.insert_from(entity_of(cls), query, columns, on_conflict, tx)

    @classmethod
    def merge(cls, rows: Any, *, on: Sequence[Any], tx: Any = None) -> MergeQuery:
        """MERGE of rows (instances, mappings) or of a query, which are the same as ours when the `on` columns are equal.

        `await Product.merge(rows, on=["sku"]).when_matched().update().when_not_matched().insert()`
        """
        # For start-up time.
        from data_bridge.orm.persistence.merge import merge_into

        return merge_into(entity_of(cls), rows, on, tx)

    @classmethod
    async def raw(cls, sql: str, *params: Any, tx: Any = None) -> list[Self]:
        """Instances from SQL, `User.raw("SELECT * FROM users WHERE age > $1", 18)`: every column, by its or its field's name.
        A column that is missing, is not a field, or has values of another type is a DecodeError.
        """
        return await named_rows.raw(entity_of(cls), sql, params, tx)

    @classmethod
    def using(cls, database: str | Database | Transaction) -> type[Self]:
        """The same Table on another database: an alias, a Database, or that of the current transaction.

        It is a subclass with the same columns: every method runs there, also your own, and rows are saved where they come from.

        >>> async def archived(User) -> None:
        ...     Archive = User.using("archive")
        ...     await Archive(name="Ann").save()
        """
        return bound_table(cls, database)

    # -------------------------------------------------------------------------------------------------------- schema
    @classmethod
    def ddl(cls) -> str:
        """The statements that make the table or the view, its indexes and comments."""
        entity = entity_of(cls)
        if entity.view is not None:
            return "\n".join(f"{operation};" for operation in create_view_operations(entity.view))
        return script(entity.definition)

    @classmethod
    async def create_table(cls, *, checkfirst: bool = True, using: Any = None) -> None:
        """Makes the table; one that exists is left alone with checkfirst."""
        await create_all(cls, checkfirst=checkfirst, using=using)

    @classmethod
    async def drop_table(cls, *, using: Any = None) -> None:
        """Drops the table, if it exists."""
        await drop_all(cls, using=using)

    @classmethod
    async def check_schema(cls, *, using: Any = None) -> list[Difference]:
        """Where the class and the table in the database differ; an empty list when they do not.

        >>> async def check(User) -> None:
        ...     for difference in await User.check_schema():
        ...         print(difference)
        """
        # For start-up time: it brings the reading of catalogs.
        from data_bridge.orm.schema.diff import differences

        return await differences(entity_of(cls), using)

    @classmethod
    def input_model(
        cls, name: str | None = None, *, exclude: Iterable[Any] = (), optional: Iterable[Any] | bool = ()
    ) -> type[BaseModel]:
        """A Pydantic model for request bodies: the fields that the database does not fill, with their constraints.

        Args:
            name: of the model; by default the class's and "Input".
            exclude: fields that clients do not give.
            optional: fields that may be left out, True for all (PATCH: `row.update(body.model_dump(exclude_unset=True))`).
        """
        return input_model(entity_of(cls), name, exclude, optional)

    if TYPE_CHECKING:

        @classmethod
        def column(cls, name: str) -> ColumnProxy[Any]:
            """The column of a field by name."""
            ...


# On the class `insert` also takes the values of a new row; to checkers it is the method above.
type.__setattr__(Table, "insert", upsert.InsertMethod(Table.insert))
type.__setattr__(Table, "create", upsert.CreateMethod(Table.create))
