"""The fixtures, hooks, options, ini names and the marker of the plugin stay what the committed snapshot says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from data_bridge.testing import plugin

SNAPSHOT = Path(__file__).with_name("plugin_names.txt")
FIXTURE = re.compile(r"(\w+)( \[\w+ scope\])? -- .*data_bridge/testing/")


class Registered(list[str]):
    """Takes what a plugin registers with pytest's parser, as one line each."""

    def getgroup(self, name: str, description: str = "") -> Registered:
        self.append(f"group {name}")
        return self

    def addoption(self, *names: str, **attributes: Any) -> None:
        shown = {key: value for key, value in sorted(attributes.items()) if key != "help"}
        self.append(f"option {' '.join(names)} {shown}")

    def addini(self, name: str, help: str, type: str | None = None, default: Any = None) -> None:
        self.append(f"ini {name} type={type} default={default!r}")


def described(pytester: pytest.Pytester) -> list[str]:
    registered = Registered()
    plugin.pytest_addoption(registered)  # type: ignore[arg-type]
    output = pytester.runpytest_subprocess("--fixtures", "-p", "no:cacheprovider").outlines
    output += pytester.runpytest_subprocess("--markers", "-p", "no:cacheprovider").outlines
    fixtures = [f"fixture {found[1]}{found[2] or ''}" for line in output if (found := FIXTURE.match(line))]
    markers = [f"marker {line}" for line in output if line.startswith("@pytest.mark.db(")]
    hooks = [f"hook {name}" for name in vars(plugin) if name.startswith("pytest_")]
    return [*registered, *sorted({*fixtures, *hooks, *markers})]


def test_the_names_of_the_plugin_are_those_of_the_snapshot(pytester: pytest.Pytester) -> None:
    assert described(pytester) == SNAPSHOT.read_text().splitlines()
