"""`data-bridge server`."""

from __future__ import annotations

import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from data_bridge.testing.command import main

from .conftest import runs_in


def test_the_entry_point_is_registered() -> None:
    (found,) = entry_points(group="data_bridge.commands", name="server")
    assert found.load() is main


def test_start_status_psql_stop(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    data = ["--data", str(place / "db")]
    assert main(["status", *data]) == 1
    assert not (place / "db").exists(), "asking makes nothing"
    assert main(["start", *data]) == 0
    dsn = capfd.readouterr().out.splitlines()[-1]
    assert dsn.startswith("postgresql://postgres:")
    assert main(["start", *data]) == 0
    assert capfd.readouterr().out.splitlines() == [dsn], "a second start finds it running"
    assert main(["status", *data]) == 0
    assert dsn in capfd.readouterr().out
    assert main(["psql", *data, "-Atc", "SELECT 6 * 7"]) == 0
    assert capfd.readouterr().out.strip() == "42"
    assert main(["stop", *data]) == 0
    assert main(["stop", *data]) == 1
    assert main(["psql", *data]) == 1
    assert runs_in(place) == []


def test_a_foreign_folder(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "photo.jpg").touch()
    assert main(["start", "--data", str(place)]) == 2
    assert "photo.jpg" in capsys.readouterr().err


def test_unknown_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["stop", "--what"])
    assert "unknown arguments: --what" in capsys.readouterr().err


def test_run_lends_a_server_to_a_command(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code = "import os, sys; print(os.environ['DATA_BRIDGE_TEST_URL']); sys.exit(7)"
    assert main(["run", "--", sys.executable, "-c", code]) == 7
    assert capfd.readouterr().out.startswith("postgresql://postgres:")
    assert runs_in(place) == []


def test_run_wants_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run"]) == 2
    assert "no command" in capsys.readouterr().err


def test_run_names_the_command_that_cannot_be_run(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--", str(place / "nothing")]) == 2
    assert "nothing' cannot be run: No such file" in capsys.readouterr().err
