"""Pages by number and cursor, and rows as NDJSON and CSV."""

from __future__ import annotations

import json

import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from orm_web import Member, Team, application, at_rest, client_of, prepared
from pydantic import ConfigDict

from data_bridge.postgres import Col, Column, Database, Table, create_all
from data_bridge.postgres.fastapi import csv_response


async def test_pages(isolated_db: Database) -> None:
    await prepared(isolated_db)
    await Member.insert_many([Member(email=f"{n}@x.org", age=n % 3) for n in range(25)])
    async with client_of(application()) as client:
        second = (await client.get("/numbered?page=2&size=10")).json()
        assert second["total"] == 25 and len(second["items"]) == 10
        assert set(second["items"][0]) == {"id", "email", "age"}
        for wrong in ("page=0", "size=0", "size=101", "page=x"):
            assert (await client.get(f"/numbered?{wrong}")).status_code == 422
        seen: list[int] = []
        url = "/cursors?size=10"
        while True:
            page = (await client.get(url)).json()
            seen += [item["id"] for item in page["items"]]
            if page["next"] is None:
                break
            url = f"/cursors?size=10&after={page['next']}"
        assert len(seen) == len(set(seen)) == 25
        back = (await client.get(f"/cursors?size=10&before={page['prev']}")).json()
        assert [item["id"] for item in back["items"]] == seen[10:20]
        assert (await client.get(f"/cursors?after={page['prev']}&before={page['prev']}")).status_code == 422
        assert (await client.get(f"/cursors?least=1&after={page['prev']}")).status_code == 400
        schema = (await client.get("/openapi.json")).json()
        names = [p["name"] for p in schema["paths"]["/cursors"]["get"]["parameters"]]
        assert sorted(names) == ["after", "before", "least", "size"]


async def test_streams(isolated_db: Database) -> None:
    tables = await prepared(isolated_db)
    team = await Team(name="blue").save()
    await Member.insert_many([Member(email=f'"{n}",@x.org', age=n, team_id=team.id if n else None) for n in range(20)])
    async with client_of(application()) as client:
        lines = (await client.get("/ndjson")).text.splitlines()
        assert [json.loads(line)["age"] for line in lines] == list(range(20))
        answer = await client.get("/csv?least=18")
        assert answer.text == 'id,email,team_id\r\n19,"""18"",@x.org",1\r\n20,"""19"",@x.org",1\r\n'
        assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''members%20%C3%A9.csv"
        assert (await client.get("/csv?least=99")).text == "id,email,team_id\r\n"
    await at_rest(tables)


@pytest.mark.parametrize("path", ["ndjson", "csv"])
async def test_a_stream_that_cannot_begin_is_an_error(isolated_db: Database, path: str) -> None:
    await prepared(isolated_db)
    await isolated_db.execute_script("""
        CREATE FUNCTION refused() RETURNS int LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '55P03'; END $$;
        INSERT INTO member (email_address, age) VALUES ('a', 1);
        ALTER TABLE member RENAME TO hidden;
        CREATE VIEW member AS SELECT * FROM hidden WHERE refused() = 1;
    """)
    async with client_of(application()) as client:
        answer = await client.get(f"/{path}")
    assert (answer.status_code, answer.json()["title"]) == (503, "The row is locked by another transaction")
    await at_rest(isolated_db)


class Nested(Table):
    model_config = ConfigDict(serialize_by_alias=True)
    id: Col[int] = Column(primary_key=True, auto_increment=True)
    tags: Col[list[str]] = Column(alias="Tags")
    data: Col[dict[str, int]] = Column(alias="Data")


async def test_csv_has_nested_values_as_json_and_needs_names(isolated_db: Database) -> None:
    await create_all(Nested)
    await Nested(Tags=["a", "é"], Data={"x": 1}).save()  # type: ignore[call-arg]
    app = FastAPI()

    @app.get("/")
    async def instances() -> StreamingResponse:
        return csv_response(Nested.find())

    @app.get("/tuples")
    async def tuples() -> StreamingResponse:
        return csv_response(Nested.find().tuples(Nested.id, Nested.tags))

    async with client_of(app) as client:
        assert (await client.get("/")).text == 'id,tags,data\r\n1,"[""a"", ""é""]","{""x"": 1}"\r\n'
        assert (await client.get("/tuples")).status_code == 500
