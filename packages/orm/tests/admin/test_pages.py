"""The admin pages over HTTP: what they list, and what their forms write."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from decimal import Decimal
from html import unescape
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from orm_admin import (
    AdminAuthor,
    AdminCount,
    AdminPlace,
    AdminPost,
    AdminState,
    AdminTag,
    application,
    views,
)
from pydantic import SecretStr
from starlette_admin.exceptions import ActionFailed
from starlette_admin.filters import FilterGroup, FilterRule
from starlette_admin.types import RequestAction

from data_bridge.postgres import Col, ConfigurationError, IdMixin, create_all
from data_bridge.postgres.admin import ModelView
from data_bridge.postgres.admin.conditions import condition_of

POSTS = "/admin/admin-post"
VIEWS = views()


@pytest.fixture
async def client(db: Any) -> AsyncIterator[httpx.AsyncClient]:
    await create_all(AdminAuthor, AdminTag, AdminPost, AdminPlace, AdminCount)
    transport = httpx.ASGITransport(app=application())
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as made:
        yield made


async def form_of(client: httpx.AsyncClient, address: str) -> dict[str, Any]:
    """What a browser sends when nothing is changed in a form."""
    page = await client.get(address)
    assert page.status_code == 200, page.text
    return fields_of(page.text)


def fields_of(page: str) -> dict[str, Any]:
    body = page[page.index("<form action=") :]
    found: dict[str, Any] = {}
    for element in re.findall(r"<input\b[^>]*>", body):
        attributes = dict(re.findall(r'([\w-]+)="([^"]*)"', element))
        name = attributes.get("name")
        if name is None or attributes.get("type") in ("submit", "button"):
            continue
        if attributes.get("type") == "checkbox" and not re.search(r"\bchecked\b", element):
            continue
        found[name] = unescape(attributes.get("value", "on"))
    for attributes, text in re.findall(r"<textarea\b([^>]*)>(.*?)</textarea>", body, re.DOTALL):
        name = re.search(r'name="([^"]*)"', attributes)
        assert name is not None
        found[name[1]] = unescape(text).replace("\r\n", "\n").removeprefix("\n").replace("\n", "\r\n")
    for attributes, options in re.findall(r"<select\b([^>]*)>(.*?)</select>", body, re.DOTALL):
        name = re.search(r'name="([^"]*)"', attributes)
        if name is None:
            continue
        chosen = [unescape(v) for v in re.findall(r'<option[^>]*value="([^"]*)"[^>]*\bselected', options)]
        preset = re.search(r'data-initial="?([^">]*)', attributes)
        if chosen or preset is None:
            found[name[1]] = chosen if "multiple" in attributes else "".join(chosen[:1])
    return found


async def post(client: httpx.AsyncClient, address: str, data: dict[str, Any]) -> httpx.Response:
    return await client.post(address, data=data, follow_redirects=False)


async def made_post(**values: Any) -> AdminPost:
    return await AdminPost(**{"title": "first", **values}).save()


async def test_a_list_has_search_sorting_and_pages(client: httpx.AsyncClient) -> None:
    await AdminPost.insert_many([AdminPost(title=f"post {n:02}", big=n % 3, author=None) for n in range(1, 13)])
    await made_post(title="100% <b>bold</b>", author=None)

    async def titles(query: str) -> list[str]:
        page = await client.get(f"{POSTS}/list?{query}")
        assert page.status_code == 200, page.text
        assert "<b>bold</b>" not in page.text
        return list(dict.fromkeys(re.findall(r"post \d\d|100% &lt;b&gt;", page.text)))

    assert await titles("") == [f"post {n:02}" for n in range(1, 6)]
    assert await titles("page=3") == ["post 11", "post 12", "100% &lt;b&gt;"]
    assert await titles("q=0%25") == ["100% &lt;b&gt;"]
    assert await titles("q=POST+1") == ["post 10", "post 11", "post 12"]
    assert (await titles("sort=title__desc"))[:2] == ["post 12", "post 11"]
    both = await titles("sort=big__desc&page_size=100")
    assert both[:4] == ["post 02", "post 05", "post 08", "post 11"]


async def test_what_a_form_shows_and_sends_back_is_no_change(client: httpx.AsyncClient) -> None:
    ann, tag = await AdminAuthor(name="Ann").save(), await AdminTag(name="red").save()
    row = await made_post(
        body="\na\nb\r\nc  <&>\"'",
        state=AdminState.LIVE,
        price=Decimal("1.50"),
        big=9_007_199_254_740_993,
        ratio=0.1,
        is_open=True,
        is_read=False,
        day=date(2026, 1, 2),
        at=datetime(2026, 1, 2, 3, 4, 5, 678901, UTC),
        facts={"n": 9_007_199_254_740_993, "deep": [{"x": None}]},
        labels=["a", None, "a, b", ""],
        secret=SecretStr("hunter2"),
        author=ann,
    )
    await row.tags.set([tag])
    before = await AdminPost.get(row.id)
    page = await client.get(f"{POSTS}/edit?pk={row.id}")
    assert "hunter2" not in page.text
    data = fields_of(page.text) | {"author": str(ann.id), "tags": [str(tag.id)]}
    done = await post(client, f"{POSTS}/edit?pk={row.id}", data)
    assert done.status_code == 303, done.text
    after = await AdminPost.get(row.id)
    assert after.model_dump() == before.model_dump()
    assert [t.id for t in await after.tags.find()] == [tag.id]


async def test_a_form_creates_and_changes_every_kind_of_value(client: httpx.AsyncClient) -> None:
    ann = await AdminAuthor(name="Ann").save()
    red, blue = await AdminTag(name="red").save(), await AdminTag(name="blue").save()
    data = await form_of(client, f"{POSTS}/create")
    assert "revision" not in data and "id" not in data
    data |= {
        "title": "made",
        "body": "x\r\ny",
        "state": "live",
        "price": "2.50",
        "big": "9007199254740993",
        "ratio": "0.25",
        "is_open": "on",
        "is_read": "true",
        "day": "2026-02-03",
        "at": "2026-02-03T04:05:06.000007+00:00",
        "facts": '{"n": 9007199254740993}',
        "labels": '["a", null]',
        "secret": "hunter2",
        "author": str(ann.id),
        "tags": [str(red.id), str(blue.id)],
    }
    done = await post(client, f"{POSTS}/create", data)
    assert done.status_code == 303, done.text
    (row,) = await AdminPost.find().fetch_links(AdminPost.tags)
    assert (row.title, row.body, row.state, row.price) == ("made", "x\ny", AdminState.LIVE, Decimal("2.50"))
    assert (row.big, row.ratio, row.is_open, row.is_read) == (9_007_199_254_740_993, 0.25, True, True)
    assert (row.day, row.at) == (date(2026, 2, 3), datetime(2026, 2, 3, 4, 5, 6, 7, UTC))
    assert (row.facts, row.labels) == ({"n": 9_007_199_254_740_993}, ["a", None])
    assert row.secret is not None and row.secret.get_secret_value() == "hunter2"
    assert row.author_id == ann.id and sorted(t.name for t in row.tags) == ["blue", "red"]

    data = await form_of(client, f"{POSTS}/edit?pk={row.id}")
    data |= {
        "body": "",
        "price": "",
        "is_read": "",
        "day": "",
        "at": "",
        "author": "",
        "labels": "[]",
        "tags": [str(red.id)],
    }
    data.pop("is_open", None)
    done = await post(client, f"{POSTS}/edit?pk={row.id}", data)
    assert done.status_code == 303, done.text
    (row,) = await AdminPost.find().fetch_links(AdminPost.tags)
    assert (row.body, row.price, row.is_read, row.day, row.at, row.author_id) == (None,) * 6
    assert (row.is_open, row.labels, [t.name for t in row.tags]) == (False, [], ["red"])
    assert row.secret is not None and row.secret.get_secret_value() == "hunter2"
    assert row.revision == 2


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"title": "ab"}, "String should have at least 3 characters"),
        ({"title": "SHOUT"}, "do not shout"),
        ({"title": ""}, "This field is required"),
        ({"big": "ten"}, "Input should be a valid integer"),
        ({"price": "1.x"}, "Input should be a valid decimal"),
        ({"day": "2026-02-30"}, "valid date"),
        ({"facts": "{"}, "This is not JSON"),
        ({"labels": '"a"'}, "Input should be a valid list"),
        ({"labels": "[1]"}, "0: Input should be a valid string"),
        ({"big": "99999999999999999999"}, "the integer is outside"),
        ({"author": "999"}, "A related row does not exist"),
    ],
)
@pytest.mark.parametrize("page", ["create", "edit"])
async def test_errors_stand_at_their_fields_and_nothing_is_written(
    client: httpx.AsyncClient, page: str, wrong: dict[str, str], said: str
) -> None:
    row = await made_post(author=None)
    before = [r.model_dump() for r in await AdminPost.find()]
    address = f"{POSTS}/create" if page == "create" else f"{POSTS}/edit?pk={row.id}"
    data = await form_of(client, address)
    done = await post(client, address, {**data, "title": "other", **wrong})
    assert done.status_code == 422, done.text
    (name,) = wrong
    error = re.search(rf'id="{name}-error">(.*?)</div>', done.text, re.DOTALL)
    assert error is not None, done.text
    assert said in unescape(error[1])
    assert [r.model_dump() for r in await AdminPost.find()] == before


async def test_a_value_that_another_row_has_is_an_error_of_its_field(client: httpx.AsyncClient) -> None:
    await AdminAuthor(name="Ann").save()
    data = await form_of(client, "/admin/admin-author/create")
    done = await post(client, "/admin/admin-author/create", data | {"name": "Ann"})
    assert done.status_code == 422
    assert re.search(r'id="name-error">A row with this value already exists<', done.text)
    assert await AdminAuthor.find().count() == 1


async def test_a_stale_form_overwrites_nothing(client: httpx.AsyncClient) -> None:
    row = await made_post(author=None, body="old")
    address = f"{POSTS}/edit?pk={row.id}"
    stale = await form_of(client, address)
    assert stale["revision"] == "1"
    fresh = await AdminPost.get(row.id)
    fresh.body = "theirs"
    await fresh.save()
    for data in (stale | {"body": "mine"}, {k: v for k, v in stale.items() if k != "revision"} | {"body": "mine"}):
        done = await post(client, address, data)
        assert done.status_code == 422
        assert re.search(r'id="revision-error">Another session has changed this row', done.text)
    assert (await AdminPost.get(row.id)).body == "theirs"
    done = await post(client, address, await form_of(client, address) | {"body": "mine"})
    assert done.status_code == 303
    assert (await AdminPost.get(row.id)).body == "mine"


async def test_composite_keys(client: httpx.AsyncClient) -> None:
    data = await form_of(client, "/admin/admin-place/create")
    data |= {"country": "a,b/c%2", "city": "é&?", "people": "3"}
    assert (await post(client, "/admin/admin-place/create", data)).status_code == 303
    page = await client.get("/admin/admin-place/list")
    address = unescape(next(iter(re.findall(r'href="([^"]*edit\?pk=[^"]*)"', page.text))))
    form = await form_of(client, address)
    assert set(form) >= {"people"} and "country" not in form
    assert (await post(client, address, form | {"people": "4"})).status_code == 303
    (row,) = await AdminPlace.find()
    assert (row.country, row.city, row.people) == ("a,b/c%2", "é&?", 4)


@pytest.mark.parametrize("page", ["create", "edit?pk=1"])
async def test_views_are_read_only(client: httpx.AsyncClient, page: str) -> None:
    shown = await client.get("/admin/admin-count/list")
    assert shown.status_code == 200 and "/admin/admin-count/create" not in shown.text
    assert (await client.get(f"/admin/admin-count/{page}")).status_code == 403
    assert (await post(client, f"/admin/admin-count/{page}", {"posts": "5"})).status_code == 403


@pytest.mark.parametrize("pk", ["x", "999", "1,2", "9" * 40])
async def test_keys_that_no_row_has_are_not_found(client: httpx.AsyncClient, pk: str) -> None:
    for page in ("detail", "edit"):
        assert (await client.get(f"{POSTS}/{page}?pk={pk}")).status_code == 404


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ("title__contains=ONE", ["one"]),
        ("title__startswith=t", ["two", "three"]),
        ("price__gt=1.5", ["two"]),
        ("big__between=2,3", ["two", "three"]),
        ("price__is_null=", ["three"]),
        ("state__in=live", ["two"]),
        ("is_open__is_true=", ["one"]),
        ("day__eq=2026-01-02", ["one"]),
        ("at__between=2026-01-02T03:00,2026-01-02T04:00", ["one"]),
        ("author__is_not_null=", ["one"]),
    ],
)
async def test_filters(client: httpx.AsyncClient, filters: str, found: list[str]) -> None:
    ann = await AdminAuthor(name="Ann").save()
    at = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    await made_post(title="one", price=Decimal("1.5"), big=1, is_open=True, day=date(2026, 1, 2), at=at, author=ann)
    await made_post(title="two", price=Decimal("1.6"), big=2, state=AdminState.LIVE, author=None)
    await made_post(title="three", big=3, author=None)
    name, _, rest = filters.partition("__")
    kind, _, values = rest.partition("=")
    view = next(v for v in VIEWS if v.key == "admin-post")
    registry = view.get_filter_registry()
    field = next(f for f in view.fields if f.name == name)
    made = registry.get_filter(field, kind)
    assert made is not None, [f.name for f in registry.filters_for(field)]
    parsed = [made().parse_value(v) for v in ([values] if kind == "in" else values.split(","))] if values else [None]
    rule = FilterRule(name, kind, parsed[0], parsed[1] if len(parsed) > 1 else None)
    condition = view.column(name)  # the column is there
    assert condition is not None
    request: Any = SimpleNamespace(state=SimpleNamespace(action=RequestAction.LIST))
    query = AdminPost.find(condition_of(FilterGroup("and", [rule]), view, request)).order_by(AdminPost.id)
    assert [p.title for p in await query] == found
    either = FilterGroup("or", [rule, FilterGroup("and", [FilterRule("title", "eq", "none")])])
    assert [p.title for p in await AdminPost.find(condition_of(either, view, request)).order_by(AdminPost.id)] == found


class WithBytes(IdMixin):
    content: Col[bytes]


class WithSimpleName(IdMixin):
    name: Col[str]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: ModelView(WithBytes), r"WithBytes.content holds bytes, which a form cannot edit: leave it out"),
        (lambda: ModelView(WithBytes, fields=["id", "content"]), r"WithBytes.content holds bytes"),
        (lambda: ModelView(WithSimpleName, exclude=["nmae"]), r"WithSimpleName has no field 'nmae'; it has id, name"),
        (lambda: ModelView(AdminPost, exclude=["revision"]), r"AdminPost.revision tells a stale form"),
    ],
)
def test_what_a_form_cannot_hold_is_refused(make: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        make()


def test_bytes_may_be_left_out() -> None:
    assert [f.name for f in ModelView(WithBytes, exclude=["content"]).fields] == ["id"]


async def test_links_and_used_rows(client: httpx.AsyncClient) -> None:
    ann = await AdminAuthor(name="<i>Ann</i>").save()
    await made_post(author=ann)
    page = await client.get(f"{POSTS}/list")
    assert "<i>Ann</i>" not in page.text and f"/admin/admin-author/detail?pk={ann.id}" in page.text
    view = next(v for v in VIEWS if v.key == "admin-author")
    request: Any = SimpleNamespace(state=SimpleNamespace(action=RequestAction.LIST))
    with pytest.raises(ActionFailed, match="A related row does not exist, or is still in use"):
        await view.delete(request, [str(ann.id)])
    assert await AdminAuthor.find().count() == 1
