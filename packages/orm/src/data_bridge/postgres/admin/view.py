"""The pages of one class."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from enum import Enum
from typing import Any
from urllib.parse import quote, unquote

from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette_admin.exceptions import ActionFailed, FormValidationError
from starlette_admin.fields import BaseField
from starlette_admin.filters import FilterGroup, FilterRegistry
from starlette_admin.helpers import prettify_class_name, slugify_class_name
from starlette_admin.views import BaseModelView

from data_bridge.core import pg_transaction
from data_bridge.core.errors import ConfigurationError, DataBridgeError, EncodeError
from data_bridge.orm.registry import entity_of
from data_bridge.postgres.admin.conditions import Conditions, condition_of
from data_bridge.postgres.admin.form_errors import STALE, form_error
from data_bridge.postgres.admin.form_fields import form_fields
from data_bridge.postgres.admin.values import (
    BoolValue,
    JsonValue,
    LinkValue,
    ManyValue,
    RevisionValue,
    SecretValue,
    TextValue,
    sent_back,
    submitted,
)
from data_bridge.query import and_, or_

__all__ = ["ModelView"]


class ModelView(BaseModelView):
    """Pages that list, show, create, edit and delete the rows of a class. Those of a class that reads a view only list and show.

    Everything that `BaseModelView` of starlette-admin offers may be set on a subclass: `page_size`, `searchable_fields`, actions.

    Args:
        model: the class.
        fields: names of columns and relations, and fields of starlette-admin; every one by default.
        exclude: names that are left out.
        icon: of the menu.
        label: of the menu.
        key: in the address; made of the name of the class by default.

    Raises:
        ConfigurationError: for a class without a key, an unknown name, and a column of bytes that is not left out.

    >>> from data_bridge.postgres import Col, IdMixin
    >>> from data_bridge.postgres.admin import ModelView
    >>> class Customer(IdMixin):
    ...     name: Col[str]
    >>> ModelView(Customer).key
    'customer'
    """

    def __init__(
        self,
        model: type[Any],
        *,
        fields: Sequence[str | BaseField] = (),
        exclude: Iterable[str] = (),
        icon: str | None = None,
        label: str | None = None,
        key: str | None = None,
    ) -> None:
        self.model = model
        self._entity: Any = entity_of(model)
        if not self._entity.pk_keys:
            raise ConfigurationError(f"{model.__name__} has no primary key, which addresses of rows are made of")
        self._is_view = self._entity.view is not None
        self.key = key or self.key or slugify_class_name(model.__name__)
        name = prettify_class_name(model.__name__)
        self.display_name = self.display_name or name
        self.menu_label = label or self.menu_label or f"{name}s"
        self.icon = icon or self.icon
        self.pk_attr = self._entity.pk_key or "pk"
        self.show_pk_in_forms = True  # where a form may have it, the field itself says
        self.fields = form_fields(self._entity, fields or self.fields, exclude)
        revision = self._entity.revision
        if revision is not None and revision not in {f.name for f in self.fields} and not self._is_view:
            raise ConfigurationError(f"{model.__name__}.{revision} tells a stale form: the fields have to hold it")
        if revision is not None and self.inline_editable_fields:
            raise ConfigurationError(
                f"{model.__name__} has a revision, which an edit in the list does not send: leave inline_editable_fields out"
            )
        if self.searchable_fields is None:
            self.searchable_fields = [f.name for f in self.fields if isinstance(f, TextValue)]
        if self.sortable_fields is None:
            self.sortable_fields = [f.name for f in self.fields if not isinstance(f, JsonValue | ManyValue)]
        if self.fields_default_sort is None:
            self.fields_default_sort = list(self._entity.pk_keys)
        self._places = {key: link.name for link in self._entity.links for key in link.near}
        super().__init__()

    # ------------------------------------------------------------------------------------------------- reading
    def get_query(self, request: Request) -> Any:
        """The rows that the pages show and change; override it to leave some out."""
        return self.model.find()

    def get_filter_registry(self) -> FilterRegistry:
        """The filters of each kind of field."""
        return Conditions()

    def column(self, name: str) -> Any:
        """The column of a field; of a link, its first column."""
        relation = self._entity.relations.get(name)
        return self._entity.columns[name if relation is None else relation.near[0]]

    def sql_type(self, name: str) -> Any:
        """The type of a column."""
        return self._entity.by_key[name].type

    def member(self, name: str, value: Any) -> Any:
        """The value of a field that a filter names."""
        return TypeAdapter(self._entity.by_key[name].info.annotation).validate_python(
            self._field(name).coerce(value)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
        )

    def _field(self, name: str) -> BaseField:
        return next(f for f in self.fields if f.name == name)

    def _found(self, request: Request, q: str | None, filters: FilterGroup | None) -> Any:
        query = self.get_query(request)
        if q:
            texts = [f.name for f in self.get_fields_list(request) if isinstance(f, TextValue) and f.searchable]
            query = query.find(or_(*(self.column(n).icontains(q) for n in texts)))
        if filters is not None and not filters.is_empty():
            condition = condition_of(filters, self, request)
            if condition is not None:
                query = query.find(condition)
        return query

    def _with_links(self, query: Any) -> Any:
        paths = [getattr(self.model, f.name) for f in self.fields if isinstance(f, LinkValue | ManyValue)]
        return query.fetch_links(*paths) if paths else query

    async def count(self, request: Request, q: str | None = None, filters: FilterGroup | None = None) -> int:
        """The number of rows that the search and the filters find."""
        return int(await self._found(request, q, filters).count())

    async def find_all(
        self,
        request: Request,
        skip: int = 0,
        limit: int = 100,
        q: str | None = None,
        sorts: Sequence[tuple[str, str]] | None = None,
        filters: FilterGroup | None = None,
    ) -> Sequence[Any]:
        """The rows of a page, in a total order."""
        query = self._found(request, q, filters)
        by = [self.column(name) for name, _ in sorts or ()]
        order = [-c if way.lower() == "desc" else +c for c, (_, way) in zip(by, sorts or (), strict=True)]
        # The key makes the order total: no row is on two pages.
        query = query.order_by(*order, *(self._entity.columns[k] for k in self._entity.pk_keys)).offset(skip)
        return list(await self._with_links(query if limit <= 0 else query.limit(limit)))

    async def find_by_pk(self, request: Request, pk: Any) -> Any:
        """The row of a key in an address; None when there is none."""
        found = await self.find_by_pks(request, [pk])
        return found[0] if found else None

    async def find_by_pks(self, request: Request, pks: list[Any]) -> Sequence[Any]:
        """The rows of keys in addresses."""
        condition = self._with_keys(pks)
        if condition is None:
            return []
        try:
            return list(await self._with_links(self.get_query(request).find(condition)))
        except EncodeError:  # an address with a number that no column holds
            return []

    def _with_keys(self, pks: Iterable[Any]) -> Any:
        """The condition that a row has one of these keys; None when no text is a key."""
        keys = [key for pk in pks if (key := self.key_of(pk)) is not None]
        columns = [self._entity.columns[k] for k in self._entity.pk_keys]
        if not keys:
            return None
        return or_(*(and_(*(c == v for c, v in zip(columns, key, strict=True))) for key in keys))

    def key_of(self, pk: Any) -> tuple[Any, ...] | None:
        """The values of a key in an address."""
        names = self._entity.pk_keys
        texts = [pk] if len(names) == 1 else [unquote(t) for t in str(pk).split(",")]
        if len(texts) != len(names):
            return None
        try:
            return tuple(
                TypeAdapter(self._entity.by_key[n].info.annotation).validate_python(t)
                for n, t in zip(names, texts, strict=True)
            )
        except ValidationError:
            return None

    async def get_pk_value(self, request: Request, obj: Any) -> Any:
        """The key of a row as addresses have it; the values of several columns are quoted and joined."""
        key: Any = obj.pk
        return key if self._entity.pk_key is not None else ",".join(quote(str(k), safe="") for k in key)

    async def get_serialized_pk_value(self, request: Request, obj: Any) -> Any:
        """The key of a row as text."""
        return str(await self.get_pk_value(request, obj))

    # ------------------------------------------------------------------------------------------------- writing
    def can_create(self, request: Request) -> bool:
        """False for a class that reads a view."""
        return not self._is_view and super().can_create(request)

    def can_edit(self, request: Request) -> bool:
        """False for a class that reads a view."""
        return not self._is_view and super().can_edit(request)

    def can_delete(self, request: Request) -> bool:
        """False for a class that reads a view."""
        return not self._is_view and super().can_delete(request)

    def can_import(self, request: Request) -> bool:
        """False for a class that reads a view."""
        return not self._is_view and super().can_import(request)

    async def create(self, request: Request, data: dict[str, Any]) -> Any:
        """Inserts a row and its many-to-many rows in one transaction."""
        async with self._form(request) as tx:
            await self.validate(request, data)
            row = self.model.model_validate(self._by_alias(await self._values(request, data, None)))
            await self._emit_before_create(request, data, row)
            await row.insert(tx=tx)
            await self._set_many(request, row, data, tx)
            await self._emit_after_create(request, row)
        await self._emit_after_create_committed(request, row)
        return row

    async def edit(self, request: Request, pk: Any, data: dict[str, Any]) -> Any:
        """Changes what differs in a form and in the row, in one transaction."""
        async with self._form(request) as tx:
            row = await self._row_of(request, pk, tx, links=True)
            if row is None:
                raise FormValidationError({self._shown(request)[0]: "The row does not exist any more."})
            self._refuse_stale(row, data)
            await self.validate(request, data)
            old = {f.name: await f.parse_obj(request, row) for f in self.get_fields_list(request)}
            changes = await self._values(request, data, row)
            whole = {k: row.__dict__[k] for k in self._entity.keys if k in row.__dict__}
            checked = self.model.model_validate(self._by_alias(whole | changes))
            for key in changes:
                setattr(row, key, getattr(checked, key))
            await self._emit_before_edit(request, data, row, pk=pk, old_data=old)
            await row.save(tx=tx)
            await self._set_many(request, row, data, tx)
            await self._emit_after_edit(request, row, pk=pk, old_data=old)
        await self._emit_after_edit_committed(request, row, old_data=old)
        return row

    async def delete(self, request: Request, pks: list[Any]) -> int | None:
        """Deletes rows in one transaction."""
        deleted: list[tuple[Any, Any]] = []
        try:
            async with pg_transaction(using=self._entity.executor(None)) as tx:
                for pk in pks:
                    row = await self._row_of(request, pk, tx)
                    if row is not None:
                        await self._emit_before_delete(request, pk, row)
                        await row.delete(tx=tx)
                        await self._emit_after_delete(request, pk, row)
                        deleted.append((pk, row))
        except DataBridgeError as e:
            error = form_error(e, self._shown(request), self._places, None)
            if error is None:
                raise
            raise ActionFailed("; ".join(map(str, error.errors.values()))) from e
        for pk, row in deleted:
            await self._emit_after_delete_committed(request, pk, row)
        return len(deleted)

    async def _row_of(self, request: Request, pk: Any, tx: Any, *, links: bool = False) -> Any:
        """The row of a key in an address, read in a transaction; None when there is none."""
        condition = self._with_keys([pk])
        if condition is None:
            return None
        query = self.get_query(request).find(condition).using(tx)
        return await (self._with_links(query) if links else query).first()

    @asynccontextmanager
    async def _form(self, request: Request) -> AsyncGenerator[Any]:
        """A transaction whose errors stand at the fields of the form."""
        try:
            async with pg_transaction(using=self._entity.executor(None)) as tx:
                yield tx
        except (ValidationError, DataBridgeError) as e:
            error = form_error(e, self._shown(request), self._places, self._entity.revision)
            if error is None:
                raise
            raise error from e

    def _shown(self, request: Request) -> list[str]:
        return [f.name for f in self.get_fields_list(request)] or [self.fields[0].name]

    def _by_alias(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Values by the names that the class takes."""
        infos = self.model.model_fields
        return {
            alias if isinstance(alias := infos[k].validation_alias or infos[k].alias, str) else k: v
            for k, v in values.items()
        }

    def _refuse_stale(self, row: Any, data: Mapping[str, Any]) -> None:
        key = self._entity.revision
        if key is not None and str(data.get(key)) != str(getattr(row, key)):
            raise FormValidationError({key: STALE})

    async def _values(self, request: Request, data: Mapping[str, Any], row: Any) -> dict[str, Any]:
        """What the form says of the columns: all that is given for a new row, what differs for one that is there."""
        made: dict[str, Any] = {}
        for field in self.get_fields_list(request):
            name = field.name
            if field.read_only or name not in data or isinstance(field, ManyValue | RevisionValue):
                continue
            if isinstance(field, LinkValue):
                relation = self._entity.relations[name]
                there: Any = self._find_foreign_view(str(field.key))
                keys: tuple[Any, ...] | None = there.key_of(data[name]) if data[name] else None
                made |= dict(zip(relation.near, keys or (None,) * len(relation.near), strict=True))
            elif name in self._entity.by_key:
                self._take(made, field, data[name], None if row is None else await field.parse_obj(request, row), row)
        if row is not None:
            now = row.__dict__
            return {k: v for k, v in made.items() if type(v) is not type(now.get(k)) or v != now.get(k)}
        return made

    def _take(self, made: dict[str, Any], field: BaseField, given: Any, shown: Any, row: Any) -> None:
        """Adds the value of a field unless the form leaves it as it is."""
        column = self._entity.by_key[field.name]
        if isinstance(field, BoolValue):
            made[field.name] = bool(given)
            return
        if isinstance(shown, Enum):
            shown = shown.value
        is_empty = given is None or given == ""
        is_same = given == shown or (isinstance(shown, str) and given in (submitted(shown), sent_back(shown)))
        if row is not None and (is_same or (is_empty and shown in (None, ""))):
            return
        if is_empty and isinstance(field, SecretValue):
            return
        if is_empty and column.nullable:
            made[field.name] = None
        elif is_empty and (row is None and (column.spec.is_filled_by_server or not column.info.is_required())):
            return  # the default
        elif isinstance(field, JsonValue):
            made[field.name] = self._document(field.name, given or "")
        else:
            made[field.name] = given

    def _document(self, name: str, text: str) -> Any:
        try:
            return json.loads(text)
        except ValueError as e:
            raise FormValidationError({name: f"This is not JSON: {e}"}) from None

    async def _set_many(self, request: Request, row: Any, data: Mapping[str, Any], tx: Any) -> None:
        for field in self.get_fields_list(request):
            if isinstance(field, ManyValue) and not field.read_only and field.name in data:
                view = self._find_foreign_view(str(field.key))
                rows = await view.find_by_pks(request, list(data[field.name] or ()))
                await getattr(row, field.name).set(rows, tx=tx)
