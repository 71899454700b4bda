"""What importing the package costs and offers."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

from data_bridge import core


def test_every_public_name_is_there() -> None:
    for name in core.__all__:
        assert getattr(core, name) is not None
    assert set(core.__all__) <= set(dir(core))


def test_checkers_and_the_interpreter_see_the_same_names() -> None:
    tree = ast.parse(Path(core.__file__).read_text())
    block = next(n for n in tree.body if isinstance(n, ast.If))
    seen = {
        alias.name: statement.module.removeprefix("data_bridge.core.")
        for statement in block.body
        if isinstance(statement, ast.ImportFrom) and statement.module
        for alias in statement.names
    }
    assert seen == core._HOMES


def test_the_import_loads_no_event_loop() -> None:
    program = "import sys, data_bridge.core; print([m for m in ('asyncio', 'ssl', 'pydantic', 'importlib.metadata', 'inspect') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
