"""What type checkers make of the API: every file in cases/ is read by each of them.

`assert_type` fixes what is inferred. A line that must be an error ends in ``# error``, or in ``# error: mypy pyright`` where
only these see it. Everything else must be free of errors. mypy and pyright are always asked, ty and pyrefly where they are
installed. The files of plugin/ are for mypy with ``data_bridge.orm.mypy``, under which those of cases/ hold as well.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CASES = sorted((HERE / "cases").glob("*.py"))
BIN = Path(sys.executable).parent
COMMANDS = {
    "mypy": ["--strict", "--no-error-summary", "--hide-error-context", "--config-file", str(ROOT / "pyproject.toml")],
    "pyright": ["--pythonpath", sys.executable],
    "ty": ["check", "--python", str(BIN.parent), "--output-format", "concise"],
    "pyrefly": [
        "check",
        "--python-interpreter-path",
        sys.executable,
        "--preset",
        "strict",
        "--output-format",
        "min-text",
    ],
}
# What a checker says about style, not about types.
NOISE = ("reportUnusedExpression", "reportUnknown", "reportUnusedVariable", " note: ", " INFO ")


def executable(checker: str) -> str | None:
    """The checker beside this interpreter, or on the path."""
    return shutil.which(checker, path=str(BIN)) or shutil.which(checker)


CHECKERS = [name for name in COMMANDS if name in ("mypy", "pyright") or executable(name)]


def expected(path: Path, checker: str) -> dict[int, str]:
    """The lines that must be errors."""
    found: dict[int, str] = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        mark = re.search(r"# error(?:: (.+))?$", line)
        if mark and (mark[1] is None or checker in mark[1].split()):
            found[number] = line
    return found


def reported(path: Path, checker: str, options: list[str]) -> Iterator[tuple[int, str]]:
    """The lines a checker complains about."""
    command = executable(checker)
    assert command is not None, f"{checker} is not installed"
    done = subprocess.run([command, *options, str(path)], capture_output=True, text=True, cwd=ROOT, check=False)
    output = done.stdout + done.stderr
    for line in output.splitlines():
        place = re.search(rf"{re.escape(path.name)}:(\d+)", line)
        if place and not any(noise in line for noise in NOISE):
            yield int(place[1]), line.strip()


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
@pytest.mark.parametrize("checker", CHECKERS)
def test_checker(checker: str, path: Path) -> None:
    check(checker, path, COMMANDS[checker])


@pytest.mark.parametrize("path", [*sorted((HERE / "plugin").glob("*.py")), *CASES], ids=lambda path: path.stem)
def test_mypy_plugin(path: Path) -> None:
    options = ["--no-error-summary", "--hide-error-context", "--config-file", str(HERE / "plugin" / "mypy.ini")]
    check("mypy", path, options)


def check(checker: str, path: Path, options: list[str]) -> None:
    """Compares the errors a checker reports with those that are wanted."""
    wanted = expected(path, checker)
    found = dict(reported(path, checker, options))
    unseen = [
        f"line {number} must be an error: {line.strip()}" for number, line in wanted.items() if number not in found
    ]
    unwanted = [line for number, line in found.items() if number not in wanted]
    assert not unseen + unwanted, "\n".join(unseen + unwanted)


def test_there_are_cases() -> None:
    assert len(CASES) >= 1
