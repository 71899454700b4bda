"""The DSN scheme `embedded:`."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from data_bridge.testing import ConfigurationError
from data_bridge.testing.dsn import resolve

from .conftest import Victim, eventually, is_alive, runs_in


def test_the_entry_point_is_registered() -> None:
    (found,) = entry_points(group="data_bridge.dsn", name="embedded")
    assert found.load() is resolve


def test_another_scheme_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="postgresql"):
        resolve("postgresql://somewhere")


def test_one_temporary_server_per_process(place: Path, victim: Callable[[str], Victim]) -> None:
    process = victim(
        "from data_bridge.testing.dsn import resolve, _of_process\n"
        "one, release = resolve('embedded:'); release(); two, _ = resolve('embedded:')\n"
        "print(one == two, one.startswith('postgresql://')); print(_of_process().pid)"
    )
    assert process.line() == "True True"
    pid = int(process.line())
    assert is_alive(pid)
    assert process.finish() == 0
    assert not is_alive(pid)
    assert runs_in(place) == []


def test_a_path_is_kept_and_released(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    dsn, release = resolve("embedded:./data")
    again, release_again = resolve(f"embedded:{place}/data")
    assert dsn == again
    assert len(list(place.glob("data-bridge-pg-*"))) == 1
    release()
    assert len(list(place.glob("data-bridge-pg-*"))) == 1, "the second user still needs it"
    release_again()
    release_again()
    assert runs_in(place) == []
    assert (place / "data" / "pgdata").is_dir()


def test_a_forked_child_gets_its_own(place: Path, victim: Callable[[str], Victim]) -> None:
    process = victim(
        "import os\nfrom data_bridge.testing.dsn import resolve\n"
        "mine, _ = resolve('embedded:')\n"
        "if os.fork() == 0:\n"
        "    print(resolve('embedded:')[0] != mine, flush=True)\n"
        "    raise SystemExit\n"
        "os.wait()\n"
        "from data_bridge.testing.dsn import _of_process\n"
        "print(_of_process().dsn == mine)"
    )
    assert process.line() == "True"
    assert process.line() == "True"
    assert process.finish() == 0
    assert eventually(lambda: runs_in(place) == [])
    assert os.listdir(place) == []
