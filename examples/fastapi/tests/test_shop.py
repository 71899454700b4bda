"""The shop, through its HTTP interface, on a real PostgreSQL. Tests with `isolated_db` commit; those with `db` are rolled back."""

import asyncio

import pytest

INK = {"name": "Ink", "description": "Black ink for fountain pens", "price": "4.50", "stock": 3}


async def test_products(isolated_db, client):
    async with client() as http:
        made = await http.post("/products", json=INK)
        assert made.status_code == 201 and made.json()["id"] == 1
        assert (await http.post("/products", json=INK)).status_code == 409
        assert (await http.post("/products", json={**INK, "name": "x", "price": "-1"})).status_code == 422
        assert (await http.patch("/products/1", json={})).json()["price"] == "4.50"
        assert (await http.patch("/products/1", json={"price": "5"})).json()["price"] == "5.00"
        tagged = await http.put("/products/1/tags", json=["pens", "black", "pens"])
        assert sorted(t["name"] for t in tagged.json()["tags"]) == ["black", "pens"]
        assert [p["name"] for p in (await http.get("/products?tag=pens")).json()["items"]] == ["Ink"]
        assert (await http.get("/products?tag=paper")).json()["items"] == []
        assert [p["id"] for p in (await http.get("/products/search?q=fountain -red")).json()] == [1]
        assert (await http.get("/products/export.csv")).text == "id,name,price,stock\r\n1,Ink,5.00,3\r\n"
        assert (await http.delete("/products/1")).status_code == 204
        assert (await http.get("/products/1")).status_code == 404


async def test_changes_need_a_token(isolated_db, client):
    async with client() as http:
        http.headers["Authorization"] = "Bearer wrong"
        assert (await http.post("/products", json=INK)).status_code == 401
        assert (await http.get("/orders")).status_code == 401
        assert (await http.get("/products")).json()["items"] == []


async def test_an_order(isolated_db, client):
    async with client() as http:
        await http.post("/products", json=INK)
        made = await http.post("/orders", json={"customer": "Ann", "lines": [{"product_id": 1, "amount": 2}]})
        assert made.status_code == 201
        assert made.json()["lines"] == [{"product": {**INK, "id": 1, "stock": 1}, "amount": 2, "price": "4.50"}]
        assert (await http.get("/orders/1")).json()["status"] == "sent", "the job ran after the response"
        assert (await http.get("/orders?status=sent")).json()["total"] == 1
        refused = await http.post("/orders", json={"customer": "Bob", "lines": [{"product_id": 1, "amount": 2}]})
        assert (refused.status_code, refused.json()["detail"]) == (409, "only 1 of Ink are left")
        assert (await http.get("/orders")).json()["total"] == 1
        unknown = await http.post("/orders", json={"customer": "Bob", "lines": [{"product_id": 9, "amount": 1}]})
        assert unknown.status_code == 404


async def test_the_last_piece_is_sold_once(isolated_db, client):
    async with client() as http:
        await http.post("/products", json=INK)
        order = {"customer": "Ann", "lines": [{"product_id": 1, "amount": 1}]}
        answers = await asyncio.gather(*(http.post("/orders", json=order) for _ in range(8)))
        statuses = [answer.status_code for answer in answers]
        assert statuses.count(201) == 3
        assert set(statuses) <= {201, 409, 503}
        assert (await http.get("/products/1")).json()["stock"] == 0


@pytest.mark.parametrize("number", ["0", "99999999999999999999999"])
async def test_numbers_that_no_product_has(isolated_db, client, number):
    async with client() as http:
        assert (await http.get(f"/products/{number}")).status_code in (404, 422)
