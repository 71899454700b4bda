"""The tutorial of `make` is true: its classes are declared, its commands run, and they print what it shows."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Project = Any
PAGE = Path(__file__).parents[4] / "docs/tutorials/migrations-from-classes.md"
_FENCE = re.compile(
    r"^```(?P<language>\w+)(?: title=\"(?P<title>[^\"]*)\")?\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL
)


def _commands(body: str) -> Iterator[tuple[str, list[str]]]:
    """Each command, and what it prints."""
    for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
        command, *lines = part.splitlines()
        yield command, lines


def test_the_tutorial_shows_what_happens(project: Project) -> None:
    versions: dict[str, str] = {}

    def shown(text: str) -> str:
        """With the version of the page for each real one."""
        for real, on_the_page in versions.items():
            text = text.replace(real, on_the_page)
        return re.sub(r"^postgresql \d+$", "postgresql 18", text, flags=re.MULTILINE)

    ran = 0
    for fence in _FENCE.finditer(PAGE.read_text()):
        language, title, body = fence["language"], fence["title"], fence["body"]
        if language == "python" and title is None:
            project.models(body)
        elif title is not None:
            (path,) = [p for p in project.directory.iterdir() if shown(p.name) == Path(title).name]
            assert body in shown(path.read_text()), title
        elif language == "console":
            for command, expected in _commands(body):
                name, *argv = shlex.split(command)
                if name != "data-bridge":
                    continue
                for real, on_the_page in versions.items():
                    argv = [argument.replace(on_the_page, real) for argument in argv]
                _, out, err = project.run(*argv[1:])
                for path in project.files():
                    versions.setdefault(path.name[:14], f"202601011200{len(versions):02}")
                assert shown(out + err).splitlines() == expected, command
                ran += 1
    assert ran == 11
