"""An application for the tests of the web doors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import BackgroundTasks, FastAPI, HTTPException
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict

from data_bridge.postgres import (
    Check,
    Col,
    Column,
    Database,
    Link,
    Page,
    Table,
    create_all,
    current_transaction,
    execute,
)
from data_bridge.postgres.fastapi import (
    CursorPaging,
    NumberPaging,
    Tx,
    add_exception_handlers,
    csv_response,
    ndjson_response,
)


class Team(Table):
    id: Col[int] = Column(primary_key=True, auto_increment=True)
    name: Col[str] = Column(unique=True)


class Member(Table):
    model_config = ConfigDict(populate_by_name=True)

    class Settings:
        constraints = [Check("age < 200", name="member_age")]

    id: Col[int] = Column(primary_key=True, auto_increment=True)
    email: Col[str] = Column(unique=True, name="email_address", alias="eMail")
    age: Col[int] = Column(default=0)
    team: Link[Team] = Column(nullable=True, default=None)


class NewMember(BaseModel):
    email: str
    age: int = 0
    team_id: int | None = None


class MemberOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: int
    email: str
    age: int


Make = Callable[[], FastAPI]


def application() -> FastAPI:
    app = FastAPI()
    add_exception_handlers(app)

    @app.post("/members", status_code=201)
    async def create(body: NewMember, tx: Tx) -> MemberOut:
        assert current_transaction() is tx
        return MemberOut.model_validate(await Member(email=body.email, age=body.age, team_id=body.team_id).save())

    @app.post("/members/{number}/fail")
    async def fail(number: int, tx: Tx, how: str) -> dict[str, int]:
        await Member(email=f"lost{number}@x.org").save()
        if how == "http":
            raise HTTPException(418, "a teapot")
        if how == "bug":
            raise ZeroDivisionError
        return {"returned": number}

    @app.post("/deferred")
    async def deferred(tx: Tx, background: BackgroundTasks) -> dict[str, str]:
        background.add_task(ran.append, "background")
        await execute("SELECT fail_at_commit()")
        return {"status": "this must never be read"}

    ran: list[str] = []
    app.state.ran = ran

    @app.get("/members/{number}")
    async def one(number: int) -> MemberOut:
        return MemberOut.model_validate(await Member.get(number))

    @app.get("/numbered")
    async def numbered(paging: NumberPaging) -> Page[MemberOut]:
        return await paging.of(Member.find().order_by(Member.age))  # type: ignore[return-value]

    @app.get("/cursors", response_model=Page[MemberOut])
    async def cursors(paging: CursorPaging, least: int = 0) -> Any:
        return await paging.of(Member.find(Member.age >= least).order_by(Member.age))

    @app.get("/ndjson")
    async def ndjson() -> StreamingResponse:
        return ndjson_response(Member.find().order_by(Member.id), batch=7)

    @app.get("/csv")
    async def as_csv(least: int = 0) -> StreamingResponse:
        rows = Member.find(Member.age >= least).order_by(Member.id).values(Member.id, Member.email, Member.team.id)
        return csv_response(rows, batch=7, filename="members é.csv")

    @app.get("/unfetched")
    async def unfetched() -> str:
        return (await Member.find().one()).team.name

    return app


@asynccontextmanager
async def client_of(app: Any) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


FAIL_AT_COMMIT = """
    CREATE TABLE watched (i int);
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'refused at commit' USING ERRCODE = '40001'; END $$;
    CREATE CONSTRAINT TRIGGER late AFTER INSERT ON watched DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION refuse();
    CREATE FUNCTION fail_at_commit() RETURNS void LANGUAGE sql AS 'INSERT INTO watched VALUES (1)';
"""


async def at_rest(database: Database) -> None:
    """No request holds a connection; one that is being made in the background may still be on its way."""
    async with asyncio.timeout(5):
        while database.pool_stats().used:
            await asyncio.sleep(0.01)


async def prepared(isolated_db: Database) -> Database:
    await create_all(Team, Member)
    await isolated_db.execute_script(FAIL_AT_COMMIT)
    return isolated_db
