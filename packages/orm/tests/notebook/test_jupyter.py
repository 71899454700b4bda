"""A notebook that a real kernel of Jupyter executes."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

CELLS = [
    "%load_ext data_bridge.postgres.notebook",
    'from data_bridge.postgres import *\ndatabase = await init("{dsn}")',
    """class Writer(IdMixin):
    name: Col[str]
    books: BackLink[list["Book"]] = BackLink("writer")
    class Settings:
        name = "jupyter_writer"

class Book(IdMixin):
    title: Col[str]
    writer: Link[Writer]
    class Settings:
        name = "jupyter_book"

await create_all(Writer, Book)
ann = await Writer(name="<b>Ann</b>").save()
await Book.insert_many([Book(title=f"book {n}", writer=ann) for n in range(60)], returning=False)""",
    "await Writer.find()",  # 3
    "await Book.find()",  # 4
    "await Book.find().order_by(Book.id).paginate(2)",  # 5
    "Writer.find(Writer.name == '<i>').sql()",  # 6
    "await Book.find(Book.title == '<i>').explain()",  # 7
    "[1, [2, 3]]",  # 8
    "{'rows': await Writer.find()}",  # 9
    # The cell that defines the target of the link runs again, with another column.
    """class Writer(IdMixin):
    name: Col[str]
    born: Col[int | None]
    books: BackLink[list["Book"]] = BackLink("writer")
    class Settings:
        name = "jupyter_writer"

await execute("ALTER TABLE jupyter_writer ADD born bigint")""",
    """bob = await Writer(name="Bob", born=1901).save()
await Book(title="new", writer=bob).save()
found = await Writer.find(Writer.born == 1901).fetch_links(Writer.books).first()
[book.title for book in found.books]""",  # 11
    """[(row.title, row.writer.name) for row in await Book.find(Book.writer.born == 1901).fetch_links(Book.writer)]""",  # 12
    """from data_bridge.migrate.state.models import definitions_in
import sys
[(d.name, [c.name for c in d.columns]) for d in definitions_in([sys.modules["__main__"]])]""",  # 13
    "%unload_ext data_bridge.postgres.notebook\nawait Writer.find()",  # 14
    "await close()",
]
RUN = """
import json, sys
import nbformat
from nbclient import NotebookClient
cells = json.load(sys.stdin)
notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
print(json.dumps([[o.get("data", {}) for o in cell.outputs if o.output_type == "execute_result"] for cell in notebook.cells]))
"""


def executed(cells: list[str]) -> list[dict[str, Any]]:
    """The result of each cell, by the type of its text; a cell that fails is an error."""
    done = subprocess.run(
        [sys.executable, "-c", RUN], input=json.dumps(cells), capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    return [outputs[-1] if outputs else {} for outputs in json.loads(done.stdout.splitlines()[-1])]


def test_results_are_tables_and_a_class_is_replaced_when_its_cell_runs_again(isolated_db: Any) -> None:
    shown = executed([cell.replace("{dsn}", isolated_db.dsn) for cell in CELLS])
    assert "<td" in shown[3]["text/html"] and "&lt;b&gt;Ann&lt;/b&gt;" in shown[3]["text/html"]
    assert "<b>" not in shown[3]["text/html"]
    assert "Ann" in shown[3]["text/plain"] and "---+---" in shown[3]["text/plain"]
    assert "60 rows, the first 50 are shown" in shown[4]["text/html"]
    assert "2 rows; a page follows" in shown[5]["text/html"]
    assert '<span style="font-weight:600">WHERE</span>' in shown[6]["text/html"]
    assert "&lt;i&gt;" in shown[6]["text/html"] and "<i>" not in shown[6]["text/html"]
    assert shown[7]["text/html"].startswith("<pre>") and "\n" in shown[7]["text/plain"]
    assert "&#x27;" in shown[7]["text/html"] or "&lt;i&gt;" in shown[7]["text/html"]
    assert shown[8] == {"text/plain": "[1, [2, 3]]"}
    assert shown[9]["text/plain"].startswith("{'rows': [Writer(")
    assert shown[11]["text/plain"] == "['new']"
    assert shown[12]["text/plain"] == "[('new', 'Bob')]"
    assert ast.literal_eval(shown[13]["text/plain"]) == [
        ("jupyter_book", ["id", "title", "writer_id"]),
        ("jupyter_writer", ["id", "name", "born"]),
    ]
    assert set(shown[14]) == {"text/plain"} and shown[14]["text/plain"].startswith("[Writer(")


def test_the_example(isolated_db: Any) -> None:
    path = Path(__file__).parents[4] / "examples" / "notebook" / "tour.ipynb"
    cells = ["".join(c["source"]) for c in json.loads(path.read_text())["cells"] if c["cell_type"] == "code"]
    _, _, planets, groups, statement, _ = executed([c.replace("embedded:", isolated_db.dsn) for c in cells])
    assert re.findall(r"<td[^>]*>(Saturn|Mars|Earth)</td>", planets["text/html"]) == ["Saturn", "Mars"]
    assert "2 rows" in groups["text/html"] and ">276</td>" in groups["text/html"]
    assert ">WHERE</span>" in statement["text/html"]
