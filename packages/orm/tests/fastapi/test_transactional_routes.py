"""A route class: the status decides, conflicts are run again, dependencies have options."""

from __future__ import annotations

from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse
from orm_web import Member, NewMember, client_of, prepared
from starlette.datastructures import UploadFile

from data_bridge.postgres import (
    ConfigurationError,
    Database,
    SerializationFailure,
    Transaction,
    current_transaction,
    execute,
)
from data_bridge.postgres.fastapi import (
    Tx,
    add_exception_handlers,
    transaction,
    transactional,
)


def routed(**options: Any) -> FastAPI:
    app = FastAPI()
    add_exception_handlers(app)
    router = APIRouter(route_class=transactional(**options))
    calls: list[int] = []
    app.state.calls = calls

    @router.post("/returned/{status}")
    async def returned(status: int) -> JSONResponse:
        await Member(email="x@x.org").save()
        return JSONResponse({}, status)

    @router.post("/conflict/{failures}")
    async def conflict(failures: int, body: NewMember, tx: Tx) -> dict[str, int]:
        assert current_transaction() is tx
        calls.append(1)
        await Member(email=body.email).save()
        if len(calls) <= failures:
            await execute("DO $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END $$")
        return {"calls": len(calls)}

    @router.post("/late")
    async def late() -> dict[str, int]:
        calls.append(1)
        await execute("SELECT fail_at_commit()")
        return {}

    app.include_router(router)
    return app


@pytest.mark.parametrize(("status", "kept"), [(200, 1), (204, 1), (302, 1), (400, 0), (409, 0), (500, 0)])
async def test_a_returned_status_decides(isolated_db: Database, status: int, kept: int) -> None:
    await prepared(isolated_db)
    async with client_of(routed()) as client:
        assert (await client.post(f"/returned/{status}")).status_code == status
    assert await Member.count() == kept
    await Member.find_all().delete()
    async with client_of(routed(rolls_back=lambda status: status >= 500)) as client:
        await client.post(f"/returned/{status}")
    assert await Member.count() == (status < 500)


async def test_a_request_is_run_again(isolated_db: Database) -> None:
    await prepared(isolated_db)
    app = routed(retries=2)
    async with client_of(app) as client:
        assert (await client.post("/conflict/2", json={"email": "a@x.org"})).json() == {"calls": 3}
        app.state.calls.clear()
        assert (await client.post("/conflict/9", json={"email": "b@x.org"})).status_code == 503
        assert len(app.state.calls) == 3
        app.state.calls.clear()
        assert (await client.post("/late")).status_code == 503
        assert len(app.state.calls) == 3
    assert [m.email for m in await Member.find()] == ["a@x.org"]


Reading = Annotated[Transaction, transaction("REPEATABLE READ", read_only=True)]


async def test_options_of_a_dependency(isolated_db: Database) -> None:
    await prepared(isolated_db)
    app = FastAPI()

    @app.get("/")
    async def read(tx: Reading) -> str:
        return str(
            await tx.fetch_val(
                "SELECT current_setting('transaction_isolation') || current_setting('transaction_read_only')"
            )
        )  # type: ignore[attr-defined]

    async with client_of(app) as client:
        assert (await client.get("/")).json() == "repeatable readon"


async def test_what_a_function_has_committed_is_not_done_twice(isolated_db: Database) -> None:
    await prepared(isolated_db)
    app = FastAPI()
    add_exception_handlers(app)
    router = APIRouter(route_class=transactional(retries=3))

    @router.post("/")
    async def committing(tx: Tx) -> None:
        await Member.create(email=f"{await Member.count()}@x.org")
        await tx.commit()
        raise SerializationFailure("again")

    app.include_router(router)
    async with client_of(app) as client:
        assert (await client.post("/")).status_code == 503
    assert await Member.count() == 1


async def test_uploads_are_read_again_from_their_beginning(isolated_db: Database) -> None:
    await prepared(isolated_db)
    app = FastAPI()
    add_exception_handlers(app)
    router = APIRouter(route_class=transactional(retries=2))
    calls: list[bytes] = []

    @router.post("/{closes}")
    async def upload(request: Request, closes: bool) -> None:
        form = await request.form()
        file = form["file"]
        assert isinstance(file, UploadFile)
        calls.append(await file.read())
        if closes:
            await file.close()
        if len(calls) == 1:
            raise SerializationFailure("again")
        await file.close()

    app.include_router(router)
    async with client_of(app) as client:
        assert (await client.post("/false", files={"file": b"hello"})).status_code == 200
        assert calls == [b"hello", b"hello"]
        calls.clear()
        # What cannot be read again is not run again.
        assert (await client.post("/true", files={"file": b"hello"})).status_code == 503
        assert calls == [b"hello"]


async def test_a_dependency_with_other_options_than_its_route_is_refused(isolated_db: Database) -> None:
    await prepared(isolated_db)
    app = FastAPI()
    router = APIRouter(route_class=transactional())

    @router.post("/isolation")
    async def isolated(tx: Annotated[Transaction, transaction("SERIALIZABLE")]) -> None: ...

    @router.post("/read_only")
    async def read_only(tx: Annotated[Transaction, transaction(read_only=True)]) -> None: ...

    @router.post("/timeout")
    async def timeout(tx: Annotated[Transaction, transaction(timeout=1)]) -> None: ...

    app.include_router(router)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        for path in ("isolation", "read_only", "timeout"):
            with pytest.raises(ConfigurationError):
                await client.post(f"/{path}")
