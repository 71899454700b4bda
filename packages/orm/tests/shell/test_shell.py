"""`data-bridge shell` on a terminal, with IPython and without."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pexpect = pytest.importorskip("pexpect", reason="a terminal of POSIX")

COMMAND = Path(sys.executable).parent / "data-bridge"
MODELS = """
from data_bridge.postgres import Col, IdMixin

class Planet(IdMixin):
    name: Col[str]
    moons: Col[int]
    class Settings:
        name = "shell_planet"
"""
SETTINGS = '[tool.data-bridge.migrate]\nmodels = ["space.models"]\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with models in a package, which its settings name."""
    (tmp_path / "space").mkdir()
    (tmp_path / "space" / "__init__.py").touch()
    (tmp_path / "space" / "models.py").write_text(MODELS)
    (tmp_path / "pyproject.toml").write_text(SETTINGS)
    return tmp_path


class Terminal:
    """A shell on a pseudo-terminal."""

    def __init__(self, project: Path, dsn: str, prompt: str, *options: str) -> None:
        self.prompt = prompt
        self.child = pexpect.spawn(
            str(COMMAND),
            ["shell", *options],
            cwd=project,
            env={
                **os.environ,
                "DATABASE_URL": dsn,
                "TERM": "dumb",
                "IPY_TEST_SIMPLE_PROMPT": "1",
                "IPYTHONDIR": str(project / "ipython"),
                "NO_COLOR": "1",
            },
            encoding="utf-8",
            timeout=60,
            dimensions=(40, 160),
            echo=False,
        )
        self.banner = self.wait()

    def wait(self) -> str:
        self.child.expect(self.prompt)
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", self.child.before)

    def type(self, line: str) -> str:
        """Types a line; returns what is printed until the next prompt."""
        self.child.sendline(line)
        return self.wait()

    def end(self) -> int:
        self.child.sendline("exit()")
        self.child.expect(pexpect.EOF)
        self.child.close()
        return int(self.child.exitstatus)


FORMS = {"IPython": (r"In \[\d+\]: ", ()), "plain": (r">>> ", ("--plain",))}


@pytest.fixture(params=FORMS)
def terminal(request: pytest.FixtureRequest, project: Path, isolated_db: Any) -> Iterator[Terminal]:
    prompt, options = FORMS[request.param]
    if request.param == "IPython":
        pytest.importorskip("IPython")
    made = Terminal(project, isolated_db.dsn, prompt, *options)
    yield made
    made.child.close(force=True)


def test_a_session(terminal: Terminal) -> None:
    assert "Classes: Planet" in terminal.banner and "PostgreSQL" in terminal.banner
    terminal.type("await create_all(Planet)")
    terminal.type("mars = await Planet(name='Mars', moons=2).save()")
    assert "'Mars'" in terminal.type("mars.name")
    table = terminal.type("await Planet.find()")
    assert (
        "id | name | moons" in table
        and "---+------+------" in table
        and " 1 | Mars |     2" in table
        and "(1 row)" in table
    )
    assert "Mars" in terminal.type("_[0].name")
    assert "Seq Scan on shell_planet" in terminal.type("await Planet.find().explain()")
    assert "(1 row; 1 in all)" in terminal.type("await Planet.find().order_by(Planet.id).page(1, 10)")

    assert "FROM" not in terminal.type("n = await Planet.find().count()")
    assert "echo is on" in terminal.type("echo()")
    assert 'FROM "shell_planet"' in terminal.type("n = await Planet.find().count()")
    assert "echo is off" in terminal.type("echo()")
    assert "FROM" not in terminal.type("n = await Planet.find().count()")

    assert "RowNotFound" in terminal.type("await Planet.get(99)")
    assert "ZeroDivisionError" in terminal.type("1 / 0")
    assert "2" in terminal.type("1 + 1")
    assert "True" in terminal.type("(await db.fetch_val('SELECT 1')) == 1")
    assert terminal.end() == 0


def test_ctrl_c_cancels_the_statement_and_the_shell_goes_on(terminal: Terminal) -> None:
    terminal.child.sendline("await execute('SELECT pg_sleep(600) -- cancelled')")
    time.sleep(1.5)
    terminal.child.kill(signal.SIGINT)
    assert "KeyboardInterrupt" in terminal.wait()
    # The server ends the statement a moment after the prompt is back.
    running = "await fetch_val(\"SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%-- cancel' || 'led'\")"
    for _ in range(20):
        seen = terminal.type(running)
        if re.search(r"\b0\b", seen.replace("Out[", "")):
            break
        time.sleep(0.25)
    else:
        raise AssertionError(seen)
    assert terminal.end() == 0


def test_echo_from_the_start(project: Path, isolated_db: Any) -> None:
    terminal = Terminal(project, isolated_db.dsn, ">>> ", "--plain", "--echo", "--models", "space")
    assert "Classes: Planet" in terminal.banner
    assert "SELECT 5" in terminal.type("five = await fetch_val('SELECT 5')")
    assert terminal.end() == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--models", "nowhere"], "the models nowhere cannot be imported: No module named 'nowhere'"),
        (["postgresql://nobody@127.0.0.1:1/none"], "127.0.0.1:1"),
    ],
)
def test_what_cannot_be_opened_is_said(project: Path, options: list[str], said: str) -> None:
    done = subprocess.run([COMMAND, "shell", *options], cwd=project, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("data-bridge shell: ") and said in done.stderr


def test_a_name_of_two_modules_is_said(project: Path, isolated_db: Any) -> None:
    (project / "space" / "others.py").write_text(MODELS.replace("shell_planet", "shell_other"))
    terminal = Terminal(project, isolated_db.dsn, ">>> ", "--plain", "--models", "space")
    assert "Planet is space.models.Planet; that of space.others has to be imported" in terminal.banner
    assert terminal.end() == 0
