"""Statements of data-bridge-query on psycopg."""

import sys

import psycopg

from data_bridge.query import column, compile, func, insert, select, table

books = table("books", column("title", str), column("pages", int))


def main(dsn: str) -> None:
    """Writes two rows and reads their sum."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE TEMPORARY TABLE books (title text, pages int)")
        rows = [{"title": "Emma", "pages": 474}, {"title": "Ulysses", "pages": 730}]
        connection.execute(*compile(insert(books).values(rows), style="format"))
        query = compile(select(func.sum(books.pages)).where(books.title != "Emma"), style="format")
        print(query.sql)
        print(connection.execute(*query).fetchone())


if __name__ == "__main__":
    main(sys.argv[1])
