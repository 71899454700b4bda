"""Runs the documentation: every page below docs/ and the README is a test.

The `python` fences of a page run in order in one scope, with top-level await and inside a test that is rolled back. A
`sql` fence after a `python` fence must equal what its `stmt` compiles to. A comment on the line before a fence says what
else it is:

- `<!-- no-run -->`: shown only;
- `<!-- test -->`: it holds tests and fixtures; pytest collects them as from a test file;
- `<!-- program -->`: a whole program, which runs on its own; a `text` fence after it is its output.

A page names other fixtures than `db` in a comment: `<!-- fixtures: isolated_db -->`; an empty list means none.
"""

from __future__ import annotations

import ast
import contextlib
import inspect
import re
import subprocess
import sys
import types
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

with contextlib.suppress(ImportError):  # sessions that only look at files have no Hypothesis
    from hypothesis import settings

    # The same examples on every machine, and no word on how long one took on a busy one;
    # `pytest --hypothesis-profile=default` looks for new ones.
    settings.register_profile("tests", deadline=None, derandomize=True)
    settings.load_profile("tests")

# A project of its own, which tests/journeys runs.
collect_ignore = ["examples/suite"]
ROOT = Path(__file__).parent
FENCE = re.compile(
    r"^(?:[ ]*<!-- (?P<words>no-run|test|program) -->\n)?"
    r"(?P<indent>[ ]*)```(?P<language>\w*)[^\n`]*\n(?P<body>.*?)^(?P=indent)```\s*$",
    re.MULTILINE | re.DOTALL,
)
FIXTURES = re.compile(r"<!--\s*fixtures:(.*?)-->")


@dataclass(frozen=True)
class Fence:
    """One fenced block of a page."""

    language: str
    words: frozenset[str]
    body: str
    line: int

    @property
    def source(self) -> str:
        """The body, moved to its own line numbers so that a traceback points into the page."""
        return "\n" * self.line + self.body


def fences(text: str) -> Iterator[Fence]:
    """The fenced blocks of a page in order."""
    for match in FENCE.finditer(text):
        words = (match["words"] or "").split()
        indent = len(match["indent"])
        body = "".join(line[indent:] for line in match["body"].splitlines(keepends=True))
        if "--8<--" not in body:  # a snippet: the included file is a test of its own
            yield Fence(match["language"], frozenset(words), body, text.count("\n", 0, match.start("body")))


def runner(path: Path, blocks: list[Fence], scope: dict[str, Any], names: list[str]) -> Callable[..., Awaitable[None]]:
    """A test function that runs the blocks and asks for the fixtures `names`."""

    async def run(**fixtures: Any) -> None:
        scope.update(fixtures)
        for block in blocks:
            if block.language == "sql":
                check_sql(path, block, scope)
                continue
            code = compile(block.source, str(path), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
            outcome = eval(code, scope)
            if inspect.isawaitable(outcome):
                await outcome

    parameters = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in names]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return run


def check_sql(path: Path, block: Fence, scope: dict[str, Any]) -> None:
    """Compare a `sql` fence with what the statement before it compiles to; white space does not matter."""
    from data_bridge import core

    shown = " ".join(block.body.split())
    compiled = " ".join(core.compile(scope["stmt"]).sql.split())
    assert compiled == shown, f"{path}:{block.line}: the page shows\n  {shown}\nbut `stmt` compiles to\n  {compiled}"


def program(block: Fence, output: str | None) -> Callable[[], None]:
    """A test function that runs a whole program and compares what it prints."""

    def run() -> None:
        done = subprocess.run([sys.executable, "-c", block.source], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert output is None or done.stdout == output

    return run


class Page(pytest.Module):
    """A Markdown file as a test module."""

    def _getobj(self) -> types.ModuleType:
        text = self.path.read_text(encoding="utf-8")
        module = types.ModuleType("page_" + re.sub(r"\W", "_", str(self.path.relative_to(ROOT))))
        module.__file__ = str(self.path)
        # Classes in a page look their annotations up in their module.
        sys.modules[module.__name__] = module
        found = FIXTURES.search(text)
        names = found[1].replace(",", " ").split() if found else ["db"]
        run: list[Fence] = []
        programs: list[tuple[Fence, str | None]] = []
        previous: Fence | None = None
        for block in fences(text):
            if block.language == "python" and "program" in block.words:
                programs.append((block, None))
            elif block.language == "text" and programs and programs[-1][1] is None:
                programs[-1] = (programs[-1][0], block.body)
            elif block.language == "python" and "test" in block.words:
                exec(compile(block.source, str(self.path), "exec", dont_inherit=True), vars(module))
            elif block.language == "python" and "no-run" not in block.words:
                run.append(block)
                previous = block
                continue
            elif block.language == "sql" and previous is not None:
                run.append(block)
            previous = None
        for number, (block, output) in enumerate(programs, 1):
            vars(module)[f"test_program_{number}"] = program(block, output)
        if run:
            vars(module)["test_examples"] = runner(self.path, run, vars(module), names)
        return module


@pytest.fixture(scope="session")
def db_template() -> None:
    """Tests of this repository make their own tables: many of their models are not meant to exist side by side."""


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Pages below docs/ and the README."""
    is_page = file_path.suffix == ".md" and (file_path.is_relative_to(ROOT / "docs") or file_path == ROOT / "README.md")
    return Page.from_parent(parent, path=file_path) if is_page else None
