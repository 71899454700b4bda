"""A tour of data-bridge in two minutes: every step prints the SQL that ran, its rows and its time.

python examples/quickstart.py                       # on an embedded PostgreSQL that is gone afterwards
python examples/quickstart.py postgresql://…        # in a schema of its own, which is dropped at the end
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TypeVar

from data_bridge.postgres import (
    BackLink,
    Col,
    Column,
    Database,
    Link,
    Migration,
    QueryFinished,
    QueryStarted,
    Table,
    add_observer,
    close,
    fetch_val,
    init,
    pg_transaction,
    remove_observer,
    run_migrations,
)

SCHEMA = "data_bridge_quickstart"
T = TypeVar("T")


class User(Table):
    class Settings:
        name = "users"

    id: Col[int] = Column(default=None, primary_key=True, auto_increment=True)
    email: Col[str] = Column(unique=True, max_length=255)
    name: Col[str] = Column(max_length=100)
    age: Col[int | None] = Column(default=None)
    status: Col[str] = "active"
    created_at: Col[datetime] = Column(default=None, server_default="now()")
    posts: BackLink[list["Post"]] = BackLink("author")


class Post(Table):
    class Settings:
        name = "posts"

    id: Col[int] = Column(default=None, primary_key=True, auto_increment=True)
    title: Col[str]
    author: Link[User] = Column(on_delete="CASCADE")


class CreateUsers(Migration):
    version = "001"

    async def up(self) -> None:
        await self.create_table("users", User)
        await self.create_index("users", ["age"])
        await self.create_table("posts", Post)


class Printer:
    """Shows every statement, its rows and its time."""

    def started(self, event: QueryStarted) -> QueryStarted:
        return event

    def finished(self, token: QueryStarted, event: QueryFinished) -> None:
        outcome = f"{event.rows} rows" if event.error is None else f"refused: {type(event.error).__name__}"
        print(f"      {token.sql}\n      {outcome}, {(event.queued + event.wire + event.decode) * 1000:.2f} ms")


async def step(title: str, operation: Awaitable[T]) -> T:
    """Runs an operation and prints its result."""
    print(f"\n  {title}")
    started = time.perf_counter()
    result = await operation
    text = repr(result)
    print(
        f"    → {text if len(text) < 300 else text[:300] + ' …'}  ({(time.perf_counter() - started) * 1000:.2f} ms in all)"
    )
    return result


async def tour() -> None:
    """The main job, step by step."""
    await step("Migrate: create the tables", run_migrations([CreateUsers]))

    ann = User(email="ann@example.com", name="Ann", age=30)
    await step("Save a new row: key and server default come back", ann.save())
    people = [User(email=f"user{n}@example.com", name=f"User {n}", age=15 + n) for n in range(40)]
    await step("Insert 40 rows by one statement", User.insert_many(people, returning=False))

    await step("Get by key", User.get(ann.id))
    await step("Find one", User.find_one(User.email == "ann@example.com"))
    await step("Find, order, limit", User.find(User.age > 25).order_by(-User.age, User.name).limit(3).to_list())
    await step(
        "Second page of five", User.find().order_by(User.id).limit(5).offset(5).select(User.id, User.email).to_list()
    )
    await step("Count", User.find(User.age > 25).count())
    await step("Exists", User.find(User.email == "nobody@example.com").exists())

    ann.age = 31
    await step("Save a change: only that column", ann.save())
    await step("Update many", User.find(User.age < 18).update({"status": "minor"}))
    await step("Delete many", User.find((User.age > 50) | User.name.endswith(" 39")).delete())

    posts = [Post(title=f"No. {n}", author=ann) for n in (1, 2)]
    await step("Insert rows that belong to Ann", Post.insert_many(posts))
    by_ann = Post.find(Post.author.name == "Ann").fetch_links(Post.author)
    await step("A condition through the link, and the author with each row: a join", by_ann.to_list())
    writers = User.find(User.posts.any()).fetch_links(User.posts.order_by(-Post.id).limit(1))
    await step("People with their latest post: one query more, however many there are", writers.to_list())

    print("\n  A transaction that rolls back to a savepoint")
    async with pg_transaction() as tx:
        await step("Save inside the transaction", User(email="bob@example.com", name="Bob").save())
        savepoint = await tx.savepoint("before_risky_op")
        try:
            await step("The same e-mail again", User(email="bob@example.com", name="Impostor").save())
        except Exception as e:
            print(f"    → {type(e).__name__}: {str(e).splitlines()[0]}")
            await tx.rollback_to(savepoint)
        await step("The transaction goes on", User(email="cleo@example.com", name="Cleo").save())
    await step(
        "Both were committed, the impostor was not", User.find(User.name.in_(["Bob", "Cleo", "Impostor"])).count()
    )
    await step("Delete one row", ann.delete())
    await step("Raw SQL joins in", fetch_val("select count(*) from users where status = $1", "active"))


@contextmanager
def server(dsn: str | None) -> Iterator[str]:
    """The DSN that was given, or an embedded PostgreSQL."""
    if dsn is not None:
        yield dsn
        return
    from data_bridge.testing import EmbeddedServer

    started = time.perf_counter()
    with EmbeddedServer() as embedded:
        print(f"  embedded PostgreSQL {embedded.version} started in {time.perf_counter() - started:.2f} s")
        yield embedded.dsn


async def main(dsn: str) -> None:
    """Opens the database, takes the tour, cleans up."""
    async with Database(dsn, max_connections=1) as admin:
        await admin.execute_script(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE; CREATE SCHEMA {SCHEMA}")
        try:
            await init(dsn, server_settings={"search_path": SCHEMA})
            printer = Printer()
            add_observer(printer)
            try:
                await tour()
            finally:
                remove_observer(printer)
                await close()
        finally:
            await admin.execute_script(f"DROP SCHEMA {SCHEMA} CASCADE")


if __name__ == "__main__":
    with server(sys.argv[1] if len(sys.argv) > 1 else None) as chosen:
        asyncio.run(main(chosen))
    print("\n  done")
