"""The fields that tell rows apart: the primary key, and the revision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_bridge.core.errors import ConfigurationError
from data_bridge.orm.mapping.field import Field

if TYPE_CHECKING:
    from data_bridge.orm.mapping.entity import Entity


def primary_key(entity: Entity) -> tuple[Field, ...]:
    """The fields of the key, as columns or Settings.primary_key say.

    Raises:
        ConfigurationError: for an unknown field, and where both name different ones.
    """
    chosen = tuple(f for f in entity.fields if f.spec.primary_key)
    named = entity.settings.primary_key
    if not named:
        return chosen
    unknown = [n for n in named if n not in entity.by_key]
    if unknown:
        raise ConfigurationError(
            f"{entity.label}.Settings.primary_key names {unknown[0]!r}, which is not a field; fields are {', '.join(entity.keys)}"
        )
    if chosen and {f.key for f in chosen} != set(named):
        raise ConfigurationError(
            f"{entity.label}: Settings.primary_key and Column(primary_key=True) name different fields"
        )
    return tuple(entity.by_key[n] for n in named)


def need_key(entity: Entity, doing: str) -> None:
    """Refuses what finds rows by their key, for rows without one: those of a view may have none.

    Raises:
        TypeError: naming the class.
    """
    if not entity.pk_keys:
        raise TypeError(
            f"{doing} needs the key of {entity.label}, which has none: Column(primary_key=True) marks the column that tells "
            "the rows apart"
        )


def revision(entity: Entity) -> str | None:
    """The field that Settings.use_revision counts; None without one.

    Raises:
        ConfigurationError: for a field that is not there or does not count.
    """
    given = entity.settings.use_revision
    if not given:
        return None
    key = "revision" if given is True else str(given)
    if key == "xmin" and key in entity.by_key:
        return key
    if key not in entity.by_key or entity.by_key[key].type.family != "int":
        raise ConfigurationError(
            f"{entity.label}.Settings.use_revision counts the field {key!r}: declare it, `{key}: int = 1`"
        )
    return key


def refuse_shared_columns(label: str, fields: list[Field]) -> None:
    """Two fields are two columns.

    Raises:
        ConfigurationError: for two fields of one name in the database.
    """
    owners: dict[str, str] = {}
    for field in fields:
        other = owners.setdefault(field.name, field.key)
        if other != field.key:
            raise ConfigurationError(f"{label}.{other} and {label}.{field.key} are both the column {field.name!r}")
