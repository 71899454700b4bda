"""Statements of data-bridge-query on asyncpg."""

import asyncio
import sys

import asyncpg

from data_bridge.query import column, func, insert, select, table

books = table("books", column("title", str), column("pages", int))


async def main(dsn: str) -> None:
    """Writes two rows and reads their sum."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("CREATE TEMPORARY TABLE books (title text, pages int)")
        sql, params = insert(books).values([{"title": "Emma", "pages": 474}, {"title": "Ulysses", "pages": 730}]).sql()
        await connection.execute(sql, *params)
        sql, params = select(func.sum(books.pages)).where(books.title != "Emma").sql()
        print(sql)
        print(await connection.fetchval(sql, *params))
    finally:
        await connection.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
