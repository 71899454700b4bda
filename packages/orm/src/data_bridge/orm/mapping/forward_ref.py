"""The other side of a relation: a Table class that may not exist yet when the relation is declared."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic._internal._model_construction import unpack_lenient_weakvaluedict

from data_bridge.core.errors import ConfigurationError
from data_bridge.orm import registry
from data_bridge.orm.mapping.column import spec_of
from data_bridge.orm.mapping.field import Field
from data_bridge.orm.mapping.natural_type import without_none
from data_bridge.orm.mapping.settings import Settings


class Target:
    """A class or its name, looked for where the relation was declared."""

    def __init__(
        self, given: Any, owner: str, name: str, ns: dict[str, Any], scope: dict[str, Any], annotations: dict[str, Any]
    ) -> None:
        self.given = given
        self.label = f"{owner}.{name}"
        self.owner = owner
        self.module: str = ns.get("__module__", "")
        self.qualname: str = ns.get("__qualname__", owner)
        self.column: Any = None
        """The column there, when it is not the key."""
        self.options: Any = None
        self.given_info: Any = None
        """Of a relation to a type variable, what the class body said behind the annotation."""
        self.is_made = False
        """Whether the class that declares the relation exists. Before, other classes of its module may still come."""
        self.placeholder = f"__db_key_of_{name}__"
        self._ns = ns
        self._annotations = annotations
        self._found: Any = given if isinstance(given, type) else None
        if self._found is None and given != owner:
            found = scope.get(given) if isinstance(given, str) else None
            if isinstance(found, type):
                self._found = found

    def find(self, owner: Any = None) -> Any:
        """The class, or None while it is not defined."""
        if self._found is None:
            if owner is not None and self.given == owner.__name__:
                self._found = owner
                return owner
            namespace = {} if owner is None else unpack_lenient_weakvaluedict(owner.__pydantic_parent_namespace__) or {}
            found = namespace.get(self.given)
            self._found = found if isinstance(found, type) else self._named()
        return self._found

    def cls(self, owner: Any = None) -> Any:
        """The class.

        Raises:
            ConfigurationError: when there is none, or it is no Table.
        """
        found = self.find(owner)
        if found is None:
            places = registry.places_of(self.given)
            if len(places) > 1:
                raise ConfigurationError(
                    f"{self.label} points to {self.given!r}, and {len(places)} classes have that name: {', '.join(places)}; "
                    f"import the one that is meant in {self.module}"
                )
            raise ConfigurationError(
                f"{self.label} points to {self.given!r}, which is not a Table that has been defined: import its module first"
            )
        if not hasattr(found, "__db_declared__"):
            raise ConfigurationError(f"{self.label} points to {found.__name__}, which is no Table")
        return found

    def _named(self) -> Any:
        return registry.named(self.given, self.module, self.qualname, is_final=self.is_made)

    # ------------------------------------------------------------------------------------ while a class is being made
    def keys_now(self, bases: tuple[type, ...]) -> tuple[str, ...] | None:
        """The key's fields there, or None while the class is unknown."""
        if self.given == self.owner:
            fields: dict[str, Any] = {}
            for base in bases:
                fields.update(getattr(base, "__pydantic_fields__", {}))
            fields.update({k: v for k, v in self._ns.items() if hasattr(v, "metadata")})
            named = getattr(self._ns.get("Settings"), "primary_key", None)
            return _named(named) or tuple(
                k for k, i in fields.items() if (s := spec_of(i)) is not None and s.primary_key
            )
        if isinstance(self.given, TypeVar):
            return None
        found = self._found or self._named()
        return None if found is None else key_names(found)

    def annotation(self, at: int, optional: bool) -> Any:
        """What the type of the column is to Pydantic: known, or a name that is known later."""
        if isinstance(self.given, TypeVar):
            return Any
        if self.given == self.owner:
            own = self._annotations
            keys = self.keys_now(())
            annotation = own.get(keys[at]) if keys else None
            if annotation is None:
                annotation = self.placeholder
        else:
            found = self._found or self._named()
            annotation = self.placeholder if found is None else self.key_type(at, found)
        if not optional:
            return annotation
        return f"{annotation} | None" if isinstance(annotation, str) else annotation | None

    def key_type(self, at: int = 0, cls: Any = None) -> Any:
        """The Python type of a column of the key."""
        cls = cls or self.cls()
        info = cls.__pydantic_fields__.get(self.far_names(cls)[at])
        if info is None or isinstance(info.annotation, str):
            return self.placeholder
        return without_none(info.annotation)[0]

    def far_names(self, cls: Any) -> tuple[str, ...]:
        """The fields there that the columns here point to."""
        if self.column is None:
            return key_names(cls)
        if isinstance(self.column, str):
            return (self.column.rpartition(".")[2],)
        return (self.column.__column__.key,)

    def fields(self, owner: Any = None) -> list[Any]:
        """The same as Fields, also of a class that waits for others."""
        cls = self.cls(owner)
        entity = cls.__dict__.get("__db__")
        if entity is not None:
            return [entity.field(n) for n in self.far_names(cls)]
        return [Field(cls.__name__, n, cls.__pydantic_fields__[n], cls) for n in self.far_names(cls)]


def _named(given: Any) -> tuple[str, ...]:
    return () if not given else (given,) if isinstance(given, str) else tuple(given)


def key_names(cls: Any) -> tuple[str, ...]:
    """The fields of the key of a class, whether its columns are made or not."""
    entity = cls.__dict__.get("__db__")
    if entity is not None:
        keys: tuple[str, ...] = entity.pk_keys
        return keys
    return Settings(cls).primary_key or tuple(
        k for k, i in cls.__pydantic_fields__.items() if (s := spec_of(i)) is not None and s.primary_key
    )
