"""What an editor shows: hover and completion of pyright's language server in an application."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PROGRAM = """\
from data_bridge.postgres import BackLink, Col, Column, IdMixin, Link, Table, func, pg_transaction, select


class Author(IdMixin):
    name: Col[str] = Column(max_length=80)
    books: BackLink[list["Book"]] = BackLink("author")


class Book(IdMixin):
    title: Col[str]
    year: Col[int]
    author: Link[Author]


async def main(book: Book) -> None:
    query = Book.find(Book.year > 1900).order_by(Book.title)
    rows = await query
    one = await Book.get(1)
    pairs = await Book.find().tuples(Book.title, Book.year).to_list()
    count = await Book.find().count()
    name = (await book.author).name
    async with pg_transaction() as tx:
        await tx.execute("SELECT 1")
    total = func.sum(Book.year)
    book.
    Book.
    query.
    tx.
    Column(
"""
HOVERS = {
    "query = ": "QueryBuilder[Book]",
    "rows = ": "list[Book]",
    "one = ": "Book",
    "pairs = ": "list[tuple[str, int]]",
    "count = ": "int",
    "name = ": "str",
    "find(Book.year": "A query for the matching rows",
    "pg_transaction()": "transaction",
    "order_by(Book.title": "sort",
    "get(1": "The row with this key",
}
"""What a hover over a name holds: its type, or words of its docstring."""
COMPLETIONS = {
    "    book.\n": {"title", "year", "author", "save", "delete", "refresh", "is_changed", "id"},
    "    Book.\n": {"title", "find", "get", "insert_many", "get_or_create", "count"},
    "    query.\n": {"where", "order_by", "limit", "fetch_links", "to_list", "update", "page", "first"},
    "    tx.\n": {"execute", "fetch", "on_commit", "savepoint", "advisory_lock"},
}


class Server:
    """A language server, asked in turn."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.number = 0

    def send(self, method: str, params: Any, **more: Any) -> None:
        body = json.dumps({"jsonrpc": "2.0", "method": method, "params": params, **more}).encode()
        assert self.process.stdin is not None
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self.process.stdin.flush()

    def read(self) -> Any:
        assert self.process.stdout is not None
        length = 0
        while line := self.process.stdout.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        return json.loads(self.process.stdout.read(length))

    def ask(self, method: str, params: Any) -> Any:
        self.number += 1
        self.send(method, params, id=self.number)
        while True:
            message = self.read()
            if message.get("id") == self.number and "method" not in message:
                assert "error" not in message, message
                return message["result"]
            if "id" in message:  # a question of the server: nothing is configured here
                items = message.get("params", {}).get("items", [])
                body = {"jsonrpc": "2.0", "id": message["id"], "result": [None] * len(items) or None}
                text = json.dumps(body).encode()
                assert self.process.stdin is not None
                self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(text), text))
                self.process.stdin.flush()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, str]]:
    command = shutil.which("pyright-langserver", path=str(Path(sys.executable).parent))
    if command is None:
        pytest.skip("pyright is installed by `nox -s types`")
    folder = tmp_path_factory.mktemp("editor")
    (folder / "pyrightconfig.json").write_text(
        json.dumps({"venvPath": str(Path(sys.prefix).parent), "venv": Path(sys.prefix).name})
    )
    path = folder / "program.py"
    path.write_text(PROGRAM)
    with subprocess.Popen([command, "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        asked = Server(process)
        root = folder.as_uri()
        capabilities = {"textDocument": {"hover": {"contentFormat": ["plaintext"]}}}
        asked.ask(
            "initialize",
            {
                "processId": None,
                "rootUri": root,
                "capabilities": capabilities,
                "workspaceFolders": [{"uri": root, "name": "editor"}],
            },
        )
        asked.send("initialized", {})
        document = {"uri": path.as_uri(), "languageId": "python", "version": 1, "text": PROGRAM}
        asked.send("textDocument/didOpen", {"textDocument": document})
        yield asked, path.as_uri()
        asked.ask("shutdown", None)
        with contextlib.suppress(BrokenPipeError):
            asked.send("exit", None)


def _position(text: str, *, at_end: bool) -> dict[str, int]:
    start = PROGRAM.index(text)
    offset = start + len(text.rstrip("\n")) if at_end else start
    before = PROGRAM[:offset]
    return {"line": before.count("\n"), "character": len(before) - before.rfind("\n") - 1}


@pytest.mark.parametrize("place", HOVERS)
def test_a_hover_shows_the_type_or_the_docstring(server: tuple[Server, str], place: str) -> None:
    asked, uri = server
    found = asked.ask("textDocument/hover", {"textDocument": {"uri": uri}, "position": _position(place, at_end=False)})
    assert found is not None
    assert HOVERS[place] in found["contents"]["value"]


@pytest.mark.parametrize("place", COMPLETIONS)
def test_a_completion_offers_the_names(server: tuple[Server, str], place: str) -> None:
    asked, uri = server
    found = asked.ask(
        "textDocument/completion", {"textDocument": {"uri": uri}, "position": _position(place, at_end=True)}
    )
    labels = {item["label"] for item in (found["items"] if isinstance(found, dict) else found)}
    assert COMPLETIONS[place] <= labels, COMPLETIONS[place] - labels
