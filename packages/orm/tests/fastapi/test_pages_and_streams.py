"""Pages by number and cursor, and rows as NDJSON and CSV."""

from __future__ import annotations

import json

from orm_web import Member, Team, application, at_rest, client_of, prepared

from data_bridge.postgres import (
    Database,
)


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
