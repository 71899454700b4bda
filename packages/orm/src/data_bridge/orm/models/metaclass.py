"""The metaclass of Table: Pydantic makes the class, then its fields become columns."""

from __future__ import annotations

import difflib
import itertools
import sys
import threading
import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast, dataclass_transform

from pydantic import Field as PydanticField
from pydantic._internal._model_construction import ModelMetaclass, build_lenient_weakvaluedict
from pydantic._internal._typing_extra import parent_frame_namespace
from pydantic.fields import FieldInfo

from data_bridge.core import ClassAttribute, hidden
from data_bridge.core.errors import ConfigurationError
from data_bridge.orm import registry
from data_bridge.orm.mapping.column import Column, ColumnSpec, spec_of
from data_bridge.orm.mapping.declaration import annotations_of, take
from data_bridge.orm.mapping.entity import Entity
from data_bridge.orm.mapping.field import Field
from data_bridge.orm.mapping.generic_links import give_types, refuse_open_relations
from data_bridge.orm.mapping.natural_type import without_none
from data_bridge.orm.mapping.settings import KEYS, Settings
from data_bridge.orm.models import pydantic_schema
from data_bridge.orm.queries.borrowed_names import CLASS_NAMES, FIELD_OPTIONS, META, ON_CLASS, found
from data_bridge.orm.registry import entity_of
from data_bridge.orm.relations.descriptors import RelationAttribute
from data_bridge.query import TableDef, TableSource, ViewDef, type_of
from data_bridge.query.spi import SourceColumns

PARAMETERS = frozenset({"tx", "defaults", "fetch_links", "skip_events"})
"""Keywords of methods that take values of fields by keyword too."""
_making = threading.local()
_numbers = itertools.count()


def _annotation(ns: dict[str, Any], key: str) -> Any:
    given = annotations_of(ns).get(key)
    if not isinstance(given, str):
        return given
    module = sys.modules.get(ns.get("__module__", ""))
    try:
        return eval(given, dict(vars(module)) if module else {}, dict(ns))
    except Exception:
        return None


def _settle_text_defaults(name: str, ns: dict[str, Any]) -> None:
    """`default="NOW()"` is SQL on a timestamp and plain text on a text column."""
    for key, value in ns.items():
        if not isinstance(value, FieldInfo):
            continue
        spec = spec_of(value)
        if spec is None:
            continue
        annotation = without_none(_annotation(ns, key))[0]
        try:
            family = type_of(annotation).family if annotation is not None else None
        except TypeError:
            family = None
        if spec.text_default is not None and family == "text" and spec.type is None:
            _set_default(value, spec.text_default)
            spec.server_default = spec.text_default = None
        elif isinstance(value.default, str) and family not in (None, "text", "json", "enum", "other", "bytes"):
            try:
                _set_default(value, type_of(annotation).bind(value.default, f"{name}.{key}"))
            except ValueError as e:
                raise ConfigurationError(
                    f"the default of {name}.{key} is a str: {e}. SQL text reads as a call (NOW()) or a keyword (CURRENT_DATE); "
                    "any other SQL goes into server_default="
                ) from None


def _set_default(info: FieldInfo, default: Any) -> None:
    info.default = default
    cast(dict[str, Any], info._attributes_set)["default"] = default  # pyright: ignore[reportUnknownMemberType]


def _declare_xmin(ns: dict[str, Any]) -> None:
    """The number of the transaction that wrote a row: every table has it, so that a revision needs no column."""
    annotations = annotations_of(ns)
    if "xmin" not in annotations:
        ns["__annotations__"] = {**annotations, "xmin": int}
        ns.pop("__annotate_func__", None)
        ns["xmin"] = Column(default=None, computed="xmin", type="xid", exclude=True, repr=False)


def _refuse_clashes(name: str, bases: tuple[type, ...], ns: dict[str, Any], declared: Iterable[str]) -> None:
    table = next((b for base in bases for b in base.__mro__ if b.__dict__.get("__is_table_root__")), None)
    if table is None:
        return
    methods = {n for base in table.__mro__ if base.__module__.startswith("data_bridge.") for n in base.__dict__}
    for key in (*annotations_of(ns), *declared):
        if key.startswith("_") or (key not in methods and key not in PARAMETERS):
            continue
        what = "a method" if key in methods else "a parameter of the methods"
        raise ConfigurationError(
            f"{name}.{key}: {key!r} is {what} of Table; call the field otherwise and name the column: "
            f"{key}_ … = Column(name={key!r})"
        )


def _refuse_borrowed(name: str, ns: dict[str, Any], kwargs: dict[str, Any]) -> None:
    """What other libraries read from a class body, and what would be passed over here without a word."""
    if "table" in kwargs:
        raise ConfigurationError(
            f"class {name}(…, table=…): every subclass of Table maps a table, unless it has Settings.abstract = True; leave table= out"
        )
    for key, spelling in CLASS_NAMES.items():
        if key in ns:
            raise ConfigurationError(f"{name}.{key} is not read: write {spelling}")
    meta = ns.get("Meta")
    known = META.intersection(vars(meta)) if isinstance(meta, type) else ()
    if known:
        raise ConfigurationError(
            f"{name}.Meta.{min(known)} is not read: write class Settings, with {', '.join(sorted(KEYS))}"
        )
    for key, value in ns.items():
        extra: Any = value.json_schema_extra if isinstance(value, FieldInfo) else None
        options = (
            FIELD_OPTIONS.intersection(cast(dict[str, Any], extra)) if isinstance(extra, dict) else frozenset[str]()
        )
        if options:
            raise ConfigurationError(
                f"{name}.{key} = Field({min(options)}=…): Pydantic's Field() knows nothing of columns; write Column({min(options)}=…), "
                "which takes the arguments of Field() too"
            )


class _ColumnsByName:
    """`User.c`. Not a property: a field called `c` comes first."""

    def __get__(self, cls: Any, _: Any = None) -> Any:
        if cls is None:
            return self
        if getattr(_making, "depth", 0):  # Pydantic asks unfinished classes for the names of fields
            raise AttributeError("c")
        try:
            return entity_of(cls).source.c
        except ConfigurationError as e:
            raise AttributeError(str(e)) from None


@dataclass_transform(kw_only_default=True, field_specifiers=(Column, PydanticField))
class TableMeta(ModelMetaclass):
    """Makes Table classes."""

    if TYPE_CHECKING:
        __db__: Entity

    def __new__(mcs, name: str, bases: tuple[type, ...], ns: dict[str, Any], **kwargs: Any) -> Any:
        """The class of a table, with its entity; errors of its definition name the class and the field."""
        scope = dict[str, Any](parent_frame_namespace() or {})
        _refuse_borrowed(name, ns, kwargs)
        if getattr(ns.get("Settings"), "use_revision", None) == "xmin":
            _declare_xmin(ns)
        give_types(name, ns, kwargs.get("__pydantic_generic_metadata__"))
        declared = take(name, ns, scope, bases)
        names = frozenset(declared).union(*(getattr(b, "__db_relation_names__", ()) for b in bases))
        ns["__db_relation_names__"] = names  # before Pydantic makes the schema, which takes rows for them
        if names:
            ns.setdefault("__get_pydantic_core_schema__", classmethod(pydantic_schema.core_schema))
        if not ns.get("__is_table_root__") and any(hasattr(b, "__db_declared__") for b in bases):
            _refuse_clashes(name, bases, ns, declared)
        _settle_text_defaults(name, ns)
        # Not for parametrised generics, which have the names of their origin.
        if kwargs.get("__pydantic_reset_parent_namespace__", True):
            # Pydantic would take this frame for the one with the names that annotations mean.
            ns["__pydantic_parent_namespace__"] = build_lenient_weakvaluedict(scope)
            kwargs["__pydantic_reset_parent_namespace__"] = False
        # Pydantic reads getattr(base, field) as the default of a field: the columns of the bases hide meanwhile.
        _making.depth = getattr(_making, "depth", 0) + 1
        try:
            with hidden(), warnings.catch_warnings():
                warnings.filterwarnings("ignore", message=r'Field name ".*" in ".*" shadows an attribute in parent')
                cls = super().__new__(mcs, name, bases, ns, **kwargs)
        finally:
            _making.depth -= 1
        type.__setattr__(cls, "__db__", None)
        type.__setattr__(cls, "__db_declared__", declared)
        type.__setattr__(cls, "__db_number__", next(_numbers))
        for relation, declaration in declared.items():
            type.__setattr__(cls, relation, RelationAttribute(relation))
            declaration.target.is_made = True
        if "__db_bound__" in ns:  # a class that stands for another, whose name and table are not new
            return cls
        registry.declare(cls)
        if not ns.get("__is_table_root__"):
            install(cls)
        return cls

    if TYPE_CHECKING:

        @property
        def c(cls) -> SourceColumns:
            """The columns by name, untyped: `User.c.age`. Of a class with a field called `c`, the column."""
            ...

    else:
        c = _ColumnsByName()

    def __table_defs__(cls) -> list[TableDef | ViewDef]:
        """The definition of the class's table or view, and those of the tables that its many-to-many relations name; none for an
        abstract class. This is how data-bridge-migrate, which does not know the ORM, finds the tables of an application.
        """
        if not _maps_table(cls):
            return []
        entity = entity_of(cls)
        return [entity.view or entity.definition, *(c.__db__.definition for c in entity.make_through_tables())]

    # Properties, so that a class that waits for others does not show the table of its base.
    @property
    def __table_def__(cls) -> TableDef:
        """The definition of the table; AttributeError for a class that maps none."""
        return cls._mapped().definition

    @property
    def __table_source__(cls) -> TableSource:
        """What queries select from; AttributeError for a class that maps no table."""
        return cls._mapped().source

    def _mapped(cls) -> Entity:
        if not _maps_table(cls):
            raise AttributeError(f"{cls.__name__} maps no table")
        return entity_of(cls)

    if not TYPE_CHECKING:

        def __getattr__(cls, name: str) -> Any:
            # SourceColumns of a class whose annotations could not be resolved when it was made. Not while Pydantic makes a
            # class of this thread: what it finds here it takes for the default of a field.
            if (
                not name.startswith("_")
                and not getattr(_making, "depth", 0)
                and not cls.__dict__.get("__pydantic_complete__", True)
            ):
                cls.model_rebuild(raise_errors=False)
                entity = cls.__dict__.get("__db__")
                if entity is not None and name in entity.columns:
                    return entity.columns[name]
            try:
                return super().__getattr__(name)
            except AttributeError:
                if name in ON_CLASS and not getattr(_making, "depth", 0):
                    return found(ON_CLASS, cls, name, cls.__name__, cls.__name__)
                entity = cls.__dict__.get("__db__")
                near = (
                    difflib.get_close_matches(name, entity.keys, n=1) if entity is not None and name[:1] != "_" else ()
                )
                if not near:
                    raise
                raise AttributeError(f"{entity.label} has no column {name!r}: did you mean {near[0]!r}?") from None


def install(cls: Any) -> None:
    """Gives a finished class its entity and its columns; a class with open forward references waits."""
    if not cls.__pydantic_complete__:
        return
    settings = Settings(cls)
    generic = cls.__pydantic_generic_metadata__
    if settings.abstract:
        return
    if generic["parameters"]:
        if generic["origin"] is None and "__orig_bases__" not in cls.__dict__:  # it names no variables of its own
            refuse_open_relations(cls)
        return
    refuse_open_relations(cls)
    fields = [
        Field(cls.__name__, key, info, cls)
        for key, info in cls.__pydantic_fields__.items()
        if not info.exclude or spec_of(info)
    ]
    entity = Entity(cls, settings, fields)
    _refuse_foreign_relations(cls, entity)
    if not entity.primary_key and entity.view is None:
        raise ConfigurationError(
            f"{cls.__name__} has no primary key: mark a field with Column(primary_key=True), name it in Settings.primary_key, "
            "inherit IdMixin, or set Settings.abstract = True"
        )
    type.__setattr__(cls, "__db__", entity)
    for key, column in entity.columns.items():
        type.__setattr__(cls, key, ClassAttribute(column))
    registry.add(cls)


def _refuse_foreign_relations(cls: Any, entity: Entity) -> None:
    """What points to the rows of a base does not point to those of a class with another table."""
    for base in cls.__mro__[1:]:
        if not _maps_table(base) or _path_of(base) == _path_of(cls):
            continue
        for name, relation in entity.relations.items():
            if relation.kind == "link" or name in cls.__dict__.get("__db_declared__", {}) or not _declares(base, name):
                continue
            kind = "BackLink" if relation.kind == "back" else "ManyToMany"
            raise ConfigurationError(
                f"{cls.__name__}.{name} is the {kind} of {base.__name__}, whose rows are in another table: declare "
                f"{name} in {cls.__name__} for its own rows, or move the shared fields, without {name}, into a base "
                "with Settings.abstract = True"
            )


def _maps_table(cls: Any) -> bool:
    if "__db_declared__" not in cls.__dict__ or cls.__dict__.get("__is_table_root__"):
        return False
    return not (Settings(cls).abstract or cls.__pydantic_generic_metadata__["parameters"])


def _declares(cls: Any, name: str) -> bool:
    return any(name in base.__dict__.get("__db_declared__", {}) for base in cls.__mro__)


def _path_of(cls: Any) -> tuple[str | None, str]:
    settings = Settings(cls)
    return settings.schema, settings.name


__all__ = ["ColumnSpec", "TableMeta", "install"]
