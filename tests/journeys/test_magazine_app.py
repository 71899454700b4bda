"""A web application written with the ORM: relations, events, soft deletion, transactions, pages, input and output models."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import httpx
import pytest
from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

from data_bridge.postgres import (
    BackLink,
    Col,
    Column,
    IdMixin,
    Insert,
    Link,
    ManyToMany,
    Page,
    RowNotFound,
    SoftDeleteMixin,
    TimestampMixin,
    UniqueViolation,
    Update,
    after_commit,
    before_event,
    create_all,
    func,
    pg_transaction,
)
from data_bridge.testing import assert_queries

MAIL: list[str] = []


class Editor(IdMixin):
    name: Col[str] = Column(unique=True)
    pieces: BackLink[list[Piece]] = BackLink("editor")


class Topic(IdMixin):
    name: Col[str] = Column(unique=True)
    pieces: ManyToMany[Piece] = ManyToMany(through="piece_topics")


class Piece(IdMixin, TimestampMixin, SoftDeleteMixin):
    title: Col[str] = Column(max_length=80)
    slug: Col[str] = Column(default="", unique=True)
    views: Col[int] = Column(default=0)
    editor: Link[Editor] = Column(on_delete="CASCADE")
    topics: ManyToMany[Topic] = ManyToMany(through="piece_topics")

    @before_event(Insert, Update)
    def make_slug(self) -> None:
        self.slug = self.title.lower().replace(" ", "-")

    @after_commit(Insert)
    async def announce(self) -> None:
        MAIL.append(self.title)


class EditorOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: int
    name: str


class TopicOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    name: str


class PieceOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: int
    title: str
    slug: str
    created_at: datetime
    editor: EditorOut
    topics: list[TopicOut]


PieceIn: Any = Piece.input_model(exclude=["deleted_at", "slug", "views"])
PiecePatch: Any = Piece.input_model("PiecePatch", exclude=["deleted_at", "slug", "editor_id"], optional=True)


async def transaction() -> AsyncIterator[None]:
    async with pg_transaction():
        yield


def make_app() -> FastAPI:
    app = FastAPI()

    @app.exception_handler(RowNotFound)
    async def missing(request: Any, error: RowNotFound) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, status_code=404)

    @app.exception_handler(UniqueViolation)
    async def twice(request: Any, error: UniqueViolation) -> JSONResponse:
        return JSONResponse({"detail": error.constraint}, status_code=409)

    @app.post("/pieces", dependencies=[Depends(transaction)], status_code=201)
    async def write(piece: PieceIn, topics: list[str]) -> PieceOut:
        made = await Piece(**piece.model_dump()).save()
        found = [(await Topic.get_or_create(name=t)).row for t in topics]
        await made.topics.set(found)
        if "forbidden" in topics:
            raise HTTPException(400)
        return PieceOut.model_validate(await made.fetch("editor", "topics"))

    @app.get("/pieces")
    async def feed(topic: str | None = None, by: str | None = None, after: str | None = None) -> Page[PieceOut]:
        query = Piece.find().order_by(-Piece.created_at).fetch_links(Piece.editor, Piece.topics.order_by(Topic.name))
        if topic is not None:
            query = query.find(Piece.topics.any(Topic.name == topic))
        if by is not None:
            query = query.find(Piece.editor.name == by)
        page = await query.paginate(2, after=after)
        return Page[PieceOut](items=[PieceOut.model_validate(p) for p in page.items], next=page.next, prev=page.prev)

    @app.patch("/pieces/{key}")
    async def change(key: int, body: PiecePatch) -> Piece:
        piece = await Piece.get(key)
        return await piece.update(body.model_dump(exclude_unset=True))

    @app.delete("/pieces/{key}", status_code=204)
    async def remove(key: int) -> None:
        await (await Piece.get(key)).delete()

    @app.get("/editors")
    async def ranking() -> list[dict[str, Any]]:
        return (
            await Editor.find()
            .order_by(-Editor.pieces.count(), Editor.name)
            .values(
                Editor.name,
                Editor.pieces.count().label("pieces"),
                func.coalesce(Editor.pieces.max(Piece.views), 0).label("best"),
            )
        )

    return app


@pytest.fixture
def client(isolated_db: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=make_app()), base_url="http://magazine")


async def test_the_magazine(client: httpx.AsyncClient) -> None:
    await create_all(Editor, Topic, Piece)
    MAIL.clear()
    ann, _ = await Editor.insert_many([Editor(name="Ann"), Editor(name="Bob")])

    def body(title: str, *topics: str, editor: int = ann.id) -> dict[str, Any]:
        return {"piece": {"title": title, "editor_id": editor}, "topics": topics}

    async with client:
        made = await client.post("/pieces", json=body("Long Rivers", "water", "travel"))
        assert made.status_code == 201
        assert made.json()["slug"] == "long-rivers" and made.json()["editor"] == {"id": ann.id, "name": "Ann"}
        assert MAIL == ["Long Rivers"]
        assert (await client.post("/pieces", json=body("Never", "forbidden"))).status_code == 400
        assert MAIL == ["Long Rivers"] and await Piece.count() == 1 and not await Topic.exists(name="forbidden")
        conflict = await client.post("/pieces", json=body("Long rivers", "water"))
        assert (conflict.status_code, conflict.json()) == (409, {"detail": "piece_slug_key"})
        assert (await client.post("/pieces", json=body("x" * 81))).status_code == 422
        for title in ("Lakes", "Seas"):
            await client.post("/pieces", json=body(title, "water"))

        with assert_queries(2):  # the pieces with their editors, and the topics of all of them
            page = (await client.get("/pieces", params={"topic": "water", "by": "Ann"})).json()
        assert [p["title"] for p in page["items"]] == ["Seas", "Lakes"]
        rest = (await client.get("/pieces", params={"topic": "water", "by": "Ann", "after": page["next"]})).json()
        assert [(p["title"], p["topics"]) for p in rest["items"]] == [
            ("Long Rivers", [{"name": "travel"}, {"name": "water"}])
        ]
        assert rest["next"] is None

        key = made.json()["id"]
        patched = (await client.patch(f"/pieces/{key}", json={"title": "Short Rivers", "views": 7})).json()
        assert (patched["slug"], patched["views"]) == ("short-rivers", 7)
        assert (await client.delete(f"/pieces/{key}")).status_code == 204
        assert (await client.delete(f"/pieces/{key}")).status_code == 404
        assert await Piece.count() == 2 and await Piece.with_deleted().count() == 3
        assert (await client.get("/editors")).json() == [
            {"name": "Ann", "pieces": 2, "best": 0},
            {"name": "Bob", "pieces": 0, "best": 0},
        ]
        schema = (await client.get("/openapi.json")).json()["components"]["schemas"]
        assert {"PieceOut", "PieceInput", "PiecePatch", "Piece"} <= schema.keys()
        assert "id" in schema["Piece"]["required"] and schema["Piece"]["properties"]["id"]["type"] == "integer"
