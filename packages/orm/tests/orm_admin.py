"""The application whose admin pages the tests open, over HTTP and in a browser."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

from pydantic import SecretStr, field_validator
from starlette.applications import Starlette
from starlette.requests import Request
from starlette_admin import action
from starlette_admin.actions import ActionSelection

from data_bridge.postgres import Col, Column, IdMixin, Link, ManyToMany, Table, View, close, create_all, init
from data_bridge.postgres.admin import Admin, ModelView


class AdminState(Enum):
    DRAFT = "draft"
    LIVE = "live"


class AdminAuthor(IdMixin):
    name: Col[str] = Column(unique=True)


class AdminTag(IdMixin):
    name: Col[str]


class AdminPost(IdMixin):
    title: Col[str] = Column(min_length=3)
    body: Col[str | None] = None
    state: Col[AdminState] = Column(default=AdminState.DRAFT)
    price: Col[Decimal | None] = None
    big: Col[int] = Column(default=0)
    ratio: Col[float | None] = None
    is_open: Col[bool] = Column(default=False)
    is_read: Col[bool | None] = None
    day: Col[date | None] = None
    at: Col[datetime | None] = None
    facts: Col[dict[str, Any]] = Column(default_factory=dict)
    labels: Col[list[str | None]] = Column(default_factory=list)
    secret: Col[SecretStr | None] = None
    author: Link[AdminAuthor] | None = None
    tags: ManyToMany[AdminTag] = ManyToMany(through="admin_post_tag")
    revision: Col[int] = Column(default=1)

    class Settings:
        use_revision = True

    @field_validator("title")
    @classmethod
    def not_shouted(cls, value: str) -> str:
        if value.isupper():
            raise ValueError("do not shout")
        return value


class AdminPlace(Table):
    country: Col[str] = Column(primary_key=True)
    city: Col[str] = Column(primary_key=True)
    people: Col[int]


class AdminCount(Table):
    id: Col[int] = Column(primary_key=True)
    posts: Col[int]

    class Settings:
        view = View("SELECT 1::bigint AS id, count(*) AS posts FROM admin_post")


class PostView(ModelView):
    page_size = 5
    actions = ("publish", "delete")

    @action(name="publish", text="Publish", confirmation="Publish the posts?", submit_btn_text="Yes, publish")
    async def publish(self, request: Request, selection: ActionSelection) -> None:
        await AdminPost.find(AdminPost.id.in_([int(pk) for pk in await selection.pks()])).update(state=AdminState.LIVE)


def views() -> list[ModelView]:
    return [PostView(AdminPost), *(ModelView(c) for c in (AdminAuthor, AdminTag, AdminPlace, AdminCount))]


def application(dsn: str | None = None) -> Starlette:
    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        if dsn is not None:
            await init(dsn)
            await create_all(AdminAuthor, AdminTag, AdminPost, AdminPlace, AdminCount)
            ann = await AdminAuthor(name="Ann").save()
            await AdminAuthor(name="Bob").save()
            await AdminTag.insert_many([AdminTag(name="red"), AdminTag(name="blue")], returning=False)
            await AdminPost.insert_many([AdminPost(title=f"post {n:02}", author=ann, big=n) for n in range(1, 13)])
        yield
        if dsn is not None:
            await close()

    app = Starlette(lifespan=lifespan)
    admin = Admin(title="Shop", secret_key="not a secret of anybody, but of 32 bytes or more")
    for view in views():
        admin.add_view(view)
    admin.mount_to(app)
    return app


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(application(sys.argv[1]), port=int(sys.argv[2]), log_level="warning")
