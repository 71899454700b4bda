"""What the ORM knows of a Table class: its table, its columns, and everything that is made once."""

from __future__ import annotations

import copy
import difflib
import itertools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, cast

from pydantic import ValidationError
from pydantic_core import PydanticUndefined

from data_bridge.core import LoadPlan, json_equals, resolve
from data_bridge.core.errors import EncodeError
from data_bridge.orm._events import Hooks, Load
from data_bridge.orm._state import CLEAN
from data_bridge.orm.mapping.column_fit import misfit_of
from data_bridge.orm.mapping.constraints import table_constraints, table_indexes
from data_bridge.orm.mapping.document_shape import misfit
from data_bridge.orm.mapping.documents import is_same, plain
from data_bridge.orm.mapping.entity_keys import need_key, primary_key, refuse_shared_columns, revision
from data_bridge.orm.mapping.field import Field, factory, validated_name
from data_bridge.orm.mapping.mixed_plans import MixedPlans
from data_bridge.orm.mapping.natural_type import shown
from data_bridge.orm.mapping.relation import Relation, of_class
from data_bridge.orm.mapping.rounding import kept_as_sent, may_change
from data_bridge.orm.mapping.settings import Settings, policies_of, view_of
from data_bridge.query import ColumnProxy, DocumentPath, Node, TableDef, TableSource, sql
from data_bridge.query.spi import build, clauses, refuse_view

if TYPE_CHECKING:
    from data_bridge.orm.queries.builder import QueryBuilder

_numbers = itertools.count()


class Entity(MixedPlans):
    """One Table class."""

    def __init__(self, cls: Any, settings: Settings, fields: list[Field]) -> None:
        self.cls = cls
        self.row_class = cls
        """The class whose instances are rows of the table: of a bound class, the one it stands for."""
        self.number = next(_numbers)
        self.label: str = cls.__name__
        self.settings = settings
        self.fields = tuple(fields)
        self.by_key = {f.key: f for f in fields}
        refuse_shared_columns(self.label, fields)
        self.keys = tuple(f.key for f in fields)
        self.loaded = tuple(f for f in fields if not f.spec.exclude_from_select)
        self.relations: dict[str, Relation] = of_class(cls)
        self.links = tuple(r for r in self.relations.values() if r.kind == "link")
        self.primary_key = primary_key(self)
        self.pk_names = tuple(f.name for f in self.primary_key)
        self.pk_keys = tuple(f.key for f in self.primary_key)
        self.pk_key = self.pk_keys[0] if len(self.pk_keys) == 1 else None
        self.definition = TableDef(
            settings.name,
            tuple(f.definition for f in fields if f.spec.computed != "xmin"),
            schema=settings.schema,
            constraints=table_constraints(self),
            indexes=table_indexes(self),
            comment=settings.comment,
            triggers=settings.triggers,
            policies=policies_of(self),
            grants=settings.grants,
            row_security=settings.row_security,
            renamed_from=settings.renamed_from,
            is_view=settings.view is not None,
            owner=self.label,
        )
        self.view = view_of(settings, self.definition)
        self.source = TableSource(self.definition, owner=self.label, keys={f.name: f.key for f in fields})
        self.complete(self.source)
        self.columns: dict[str, ColumnProxy[Any]] = {f.key: self.source.columns[f.name] for f in fields}
        self.table = self.source.s
        qualifier = self.source.name
        self.projection = (build.columns(qualifier, (f.name for f in self.loaded)),)
        self.mutable = tuple(f.key for f in fields if f.is_mutable)
        self.rounded = {f.key: kept_as_sent(f.type) for f in self.loaded if may_change(f.type)}
        """Fields whose values come back from writes, as the server may have rounded them, and what tells that it does not."""
        self.documents = frozenset(f.key for f in fields if f.is_document)
        self.jsonb = frozenset(
            f.key for f in fields if f.type.name == "jsonb" and (f.is_document or f.converter(cls) is None)
        )
        """Fields whose values are told from the bytes that the server sends without decoding these."""
        self.rekeyed = frozenset(f.key for f in fields if f.has_other_keys)
        """Documents that are sent as JSON has them, as their mappings have keys that JSON does not know."""
        self._validators: dict[str, Callable[[Any], Any]] = {}
        self.near: dict[str, tuple[str, ...]] = {
            k: tuple(r.name for r in self.links if k in r.near) for r in self.links for k in r.near
        }
        """By the fields that hold keys of other rows, the links that these belong to."""
        soft: str | None = getattr(cls, "__db_soft_delete__", None)
        self.soft = self.by_key[soft] if soft is not None else None
        """The field that says when a row was deleted, of a table with soft deletion."""
        gone = None if self.soft is None else build.column(qualifier, self.soft.name)
        self.present: tuple[Any, ...] = () if gone is None else (build.is_null(gone),)
        self.deleted: tuple[Any, ...] = () if gone is None else (build.is_not_null(gone),)
        self.pk_conditions = tuple(build.equal(build.column(qualifier, n), build.PLACE) for n in self.pk_names)
        self.pk_binds = tuple(self.columns[k] for k in self.pk_keys)
        self.get_ir = build.select(self.table, self.projection, (*self.pk_conditions, *self.present))
        self.plain = self._plain()
        given = [(f, f.spec.update_default) for f in fields if f.spec.update_default is not None]
        self.update_defaults: tuple[tuple[str, Any], ...] = tuple(
            (f.name, sql(d) if isinstance(d, str) else d) for f, d in given
        )
        """Expressions, values, and functions that give values, by the name of the column."""
        self.revision = revision(self)
        if self.revision is not None and self.revision != "xmin":
            counted = self.columns[self.revision] + 1
            self.update_defaults += ((self.by_key[self.revision].name, counted),)
        self.decided: tuple[str, ...] = (
            *(self.source.columns[n].__column__.key for n, d in self.update_defaults if isinstance(d, Node)),
            *(f.key for f in fields if f.spec.computed),
        )
        """Fields that get a value from the database in every UPDATE."""
        self.shapes: dict[Any, Any] = {}
        self.wire_plans: list[tuple[LoadPlan, dict[str, str]]] = []
        self.hooks = Hooks.of(cls)
        self.has_load_hooks = self.hooks is not None and self.hooks.concern(Load)
        self.load_hooked: dict[LoadPlan, list[tuple[int, Entity]] | None] = {}
        """Plans whose rows are, or contain, instances that wait for Load: where these are in tuples."""
        self.link_paths: dict[str, Any] = {}
        self.paths: dict[str, Any] = {}
        """Paths whose columns were asked for, by the alias they are joined under."""
        self.instance_plans: set[LoadPlan] = set()
        self._originals: dict[str, tuple[LoadPlan, str]] = {}
        self._converters: dict[str, Callable[[Any], Any] | None] = {}
        self.given_if = tuple(
            (f.key, f in self.primary_key, f.spec.primary_key or f.spec.auto_increment, f.is_left_to_server)
            for f in fields
            if not f.spec.computed and (f.spec.is_filled_by_server or f in self.primary_key)
        )
        """Fields that an INSERT sends only when they have a value of their own."""
        self._plans: dict[Any, LoadPlan] = {}

    def bound(self, cls: Any, database: Any) -> Entity:
        """The entity of a class that stands for this one on another database: the same table and columns, so that those of
        this class are its columns too, with plans that make rows of the other class.
        """
        made = copy.copy(self)
        made.cls = cls
        made.row_class = self.row_class
        made.settings = self.settings.on(database)
        made.relations = of_class(cls)
        made.links = tuple(r for r in made.relations.values() if r.kind == "link")
        made.shapes, made.load_hooked, made.link_paths = {}, {}, {}
        made.wire_plans, made.instance_plans = [], set()
        made._plans, made._originals = {}, {}
        return made

    def complete(self, source: TableSource) -> None:
        """Gives a source of this table the system column that revisions may be told by."""
        if self.settings.use_revision == "xmin" and "xmin" not in source.columns:
            clauses.add_column(source, "xmin", self.by_key["xmin"].type, nullable=False)

    def _plain(self) -> frozenset[str]:
        """Fields whose assignment Pydantic does not look at."""
        config = self.cls.model_config
        if config.get("validate_assignment") or config.get("frozen"):
            return frozenset()
        return frozenset(k for k, f in self.cls.__pydantic_fields__.items() if not f.frozen)

    # -------------------------------------------------------------------------------------------------- running
    make_query: ClassVar[Callable[[Entity], QueryBuilder[Any]]]
    """How a query over a table is made. QueryBuilder, which is built on entities, sets it."""

    def query(self) -> QueryBuilder[Any]:
        """All rows of the table; of one with soft deletion, those that were not deleted."""
        return Entity.make_query(self)

    def executor(self, tx: Any) -> Any:
        """Where statements run: where `tx` says, or in the database of the class, or in the current one."""
        return resolve(tx if tx is not None else self.settings.using)

    def writer(self, tx: Any) -> Any:
        """Where statements that write run: every way of writing a row asks this first.

        Raises:
            TypeError: the class reads a view.
        """
        refuse_view(self.source)
        return self.executor(tx)

    # -------------------------------------------------------------------------------------------------- loading
    def converters(self, keys: Iterable[str]) -> list[Any]:
        """One per key."""
        return [self.by_key[k].converter(self.cls) for k in keys]

    def plan(self, keys: tuple[str, ...] | None = None, *, many: bool = True) -> LoadPlan:
        """How rows of these fields (all loaded ones by default) become instances."""
        at = (keys, many)
        found = self._plans.get(at)
        if found is None:
            found = self._plans[at] = self._make_plan(keys or tuple(f.key for f in self.loaded), many)
        return found

    @property
    def validates_whole(self) -> bool:
        """Whether rows are loaded by the class's whole validation, not field by field."""
        decorators = self.cls.__pydantic_decorators__
        return bool(
            self.settings.validate_on_load
            or decorators.model_validators
            or decorators.root_validators
            or self.cls.__pydantic_custom_init__
        )

    def _make_plan(self, keys: tuple[str, ...], many: bool) -> LoadPlan:
        cls = self.cls
        partial = len(keys) < len([k for k in cls.__pydantic_fields__ if k in self.by_key])
        validate = self.validates_whole and not partial
        fields = {k: f for k, f in cls.__pydantic_fields__.items() if k not in self.by_key}
        # With places for the columns, so that everything stands in the order of the fields.
        others = {
            k: None if f.default is PydanticUndefined or k not in fields else f.default
            for k, f in cls.__pydantic_fields__.items()
            if k in fields or k in keys
        }
        factories = [(k, made) for k, f in fields.items() if (made := factory(f)) is not None]
        # What is validated as a whole is validated by the names that the model knows its fields by.
        names = {k: validated_name(cls, k) if validate else k for k in keys}
        plan = LoadPlan.model(
            cls,
            list(names.values()),
            clean=CLEAN,
            many=many,
            converters=[] if validate else self.converters(keys),
            mutable=[names[k] for k in self.mutable if k in names],
            defaults=None if validate or not fields else others,
            factories=[] if validate else factories,
            extra=cls.model_config.get("extra") == "allow",
            post_init=bool(cls.__pydantic_post_init__),
            validate=validate,
            misfit=misfit_of(self, {name: self.by_key[k] for k, name in names.items()}),
        )
        self.wire_plans.append((plan, names))
        self.instance_plans.add(plan)
        if self.has_load_hooks:
            self.load_hooked[plan] = None
        return plan

    def merge_plan(self, keys: tuple[str, ...], kept: tuple[str, ...], *, many: bool = False) -> LoadPlan:
        """How RETURNING of these fields goes into an instance; of the `kept` ones, which follow, only the bytes are stored.

        With `many` the result is a tuple for each row: the values and the bytes.
        """
        plan = LoadPlan.merge_into(
            self.cls,
            list(keys),
            many=many,
            converters=self.converters(keys),
            kept=list(kept),
            misfit=misfit_of(self, self.by_key),
        )
        self.wire_plans.append((plan, {k: k for k in kept}))
        return plan

    def decoded(self, key: str, wire: bytes | None) -> Any:
        """What the bytes of a mutable column say, before it becomes the field's value."""
        if wire is None:
            return None
        known = self._originals.get(key)
        if known is not None:
            plan, name = known
            return plan.decode(name, wire)
        for plan, names in self.wire_plans:
            try:
                found = plan.decode(names[key], wire)
            except LookupError:
                continue
            self._originals[key] = (plan, names[key])
            return found
        raise LookupError(key)

    def original(self, key: str, wire: bytes | None) -> Any:
        """The value that a mutable column had when its bytes came."""
        if wire is None:
            return None
        known = self._originals.get(key)
        found = self.decoded(key, wire) if known is None else known[0].decode(known[1], wire)
        try:
            converter = self._converters[key]
        except KeyError:
            converter = self._converters[key] = self.by_key[key].converter(self.cls)
        return converter(found) if converter else found

    def is_stored(self, key: str, wire: bytes | None, value: Any) -> bool:
        """Whether the bytes of a mutable column are this value."""
        is_document = key in self.documents
        if wire is not None and key in self.jsonb:
            # The bytes and the object are compared as they are, up to the first difference.
            found = json_equals(wire, value)
            if found is None and is_document:
                found = json_equals(wire, plain(value))
            # Of a document that is different the class may still say that it is the same.
            if found or (found is False and not is_document):
                return found
        if not is_document:
            return is_same(self.original(key, wire), value)
        if is_same(self.original(key, wire), value):
            return True
        # A subclass of the model is stored with its own fields, which loading leaves out.
        return value is not None and is_same(self.decoded(key, wire), plain(value))

    # ------------------------------------------------------------------------------------------------- validation
    def validated(self, key: str, value: Any) -> Any:
        """A value as the constructor of the class would take it.

        Raises:
            ValidationError: of Pydantic.
        """
        known = self._validators.get(key)
        if known is None:
            known = self._validators[key] = self.by_key[key].validator(self.cls)
        return known(value)

    def assigned(self, key: str, value: Any) -> Any:
        """A value that is assigned to a document: of another shape it is converted or refused.

        Raises:
            EncodeError: naming the field.
        """
        if value is None:
            return value
        try:
            made = self.validated(key, value)
        except ValidationError as e:
            raise self._misfit(key, e) from None
        return value if made == value else made

    def fitting(self, key: str, value: Any) -> Any:
        """A document that can be loaded again, all through: edits in place are seen, too.

        Raises:
            EncodeError: naming the field.
        """
        if value is None:
            return value
        value = self.assigned(key, value)
        if key not in self._converters:
            self._converters[key] = self.by_key[key].converter(self.cls)
        loader = self._converters[key]
        assert loader is not None  # a document has one
        try:
            loader(plain(value))
        except ValueError as e:
            cause = e.__context__
            raise self._misfit(key, cause if isinstance(cause, ValidationError) else e) from None
        return value

    def document(self, key: str, value: Any) -> Any:
        """A document as it is sent; see fitting()."""
        value = self.fitting(key, value)
        return plain(value) if key in self.rekeyed else value

    def _misfit(self, key: str, error: ValueError) -> EncodeError:
        why = misfit(error) if isinstance(error, ValidationError) else str(error)
        return EncodeError(f"{self.label}.{key} does not fit {shown(self.by_key[key].annotation)}: {why}")

    # ------------------------------------------------------------------------------------------------------ keys
    def key_values(self, pk: Any) -> tuple[Any, ...]:
        """The parameters for a key: a value, or for several columns a tuple or a mapping.

        Raises:
            EncodeError: when a value does not fit its column.
            TypeError: when the number of values is wrong.
        """
        binds = self.pk_binds
        if len(binds) == 1:
            return (binds[0].bind(pk),)
        need_key(self, "this")
        values: list[Any]
        if isinstance(pk, dict):
            values = [pk[k] for k in self.pk_keys]
        else:
            values = list(cast(list[Any], pk)) if isinstance(pk, (tuple, list)) else [pk]
        if len(values) != len(binds):
            raise TypeError(
                f"the key of {self.label} has {len(binds)} columns ({', '.join(self.pk_keys)}), {len(values)} values given"
            )
        return tuple(b.bind(v) for b, v in zip(binds, values, strict=True))

    def field(self, given: Any) -> Field:
        """The field that a name or a column means.

        Raises:
            AttributeError: with a near match.
            TypeError: for anything else.
        """
        if isinstance(given, str):
            found = self.by_key.get(given)
            if found is not None:
                return found
            return self.by_key[self.source.column(given).__column__.key]
        if isinstance(given, ColumnProxy) and given.__column__.source is self.source:
            return self.by_key[given.__column__.key]
        if isinstance(given, DocumentPath):
            raise TypeError(
                f"{given.__owner__} is a part of a document, and a whole column is needed here: name the column, or set the part by "
                "update({path: value})"
            )
        raise TypeError(f"{given!r} is not a column of {self.label}")

    # ------------------------------------------------------------------------------------------------- relations
    def holds(self, row: object) -> bool:
        """Whether an instance is a row of this table: one of the class, or of a subclass that maps the same table.

        A subclass with a table of its own has other rows, whose keys mean nothing here. A class that was defined again, as in
        a cell of a notebook that ran twice, is the same class.
        """
        cls = type(row)
        if cls is self.cls:
            return True
        is_again = cls.__qualname__ == self.row_class.__qualname__ and cls.__module__ == self.row_class.__module__
        other = getattr(cls, "__db__", None) if is_again or isinstance(row, self.row_class) else None
        return other is not None and other.table == self.table

    def relation(self, name: str) -> Relation:
        """The relation called `name`.

        Raises:
            AttributeError: with a near match.
        """
        found = self.relations.get(name)
        if found is None:
            near = difflib.get_close_matches(name, self.relations, n=1)
            known = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(self.relations) or 'none'}"
            raise AttributeError(f"{self.label} has no relation {name!r}: {known}")
        return found

    def make_through_tables(self) -> list[Any]:
        """The classes of the tables between this and others, where only their names were given."""
        known = [
            r.through.cls
            for r in self.relations.values()
            if r.kind == "many"
            and isinstance(r.declaration.given.through, str)
            and r.declaration.target.find(self.cls) is not None
        ]
        return [c for c in known if hasattr(c, "__db_sides__")]
