"""Data folders and where their prepared copies live."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from data_bridge.testing import EmbeddedServer, ServerError
from data_bridge.testing.errors import ConfigurationError
from data_bridge.testing.server import Supplier, find_supplier
from data_bridge.testing.server import run_folder as folder_module
from data_bridge.testing.server.account import server_account
from data_bridge.testing.server.cluster import cache_folder, make_cluster, server_settings
from data_bridge.testing.server.run_folder import RunFolder, sweep

from ..conftest import runs_in


def test_the_cache_lives_in_the_virtual_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("DATA_BRIDGE_CACHE", raising=False)
    assert cache_folder() == Path(sys.prefix, "var", "data-bridge")
    monkeypatch.setenv("DATA_BRIDGE_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path


def test_without_an_environment_it_is_the_users_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("DATA_BRIDGE_CACHE", raising=False)
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "data-bridge"


def test_initdb_runs_once(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_BRIDGE_CACHE", str(place / "cache"))
    with EmbeddedServer():
        pass
    (prepared,) = (place / "cache").iterdir()
    made = prepared.stat().st_ctime_ns
    with EmbeddedServer():
        pass
    assert [entry.stat().st_ctime_ns for entry in (place / "cache").iterdir()] == [made]


def test_a_failing_initdb_is_reported(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_BRIDGE_CACHE", str(place / "cache"))
    program = place / "initdb"
    program.write_text("#!/bin/sh\necho 'no room' >&2\nexit 1\n")
    program.chmod(0o755)
    with pytest.raises(ServerError, match="no room"):
        make_cluster(Supplier("local", place, "18.6"), place / "data", server_account())
    assert runs_in(place) == []


def test_a_kept_server_flushes_and_a_temporary_one_does_not() -> None:
    supplier = find_supplier()
    assert "fsync" not in server_settings(supplier, temporary=False, free=1 << 40)
    assert server_settings(supplier, temporary=True, free=1 << 40)["fsync"] == "off"
    assert server_settings(supplier, temporary=True, free=1 << 30)["max_wal_size"] == "256MB"


def test_data_goes_to_disk_when_memory_is_short(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_module, "ROOM_IN_MEMORY", 1 << 60)
    with EmbeddedServer() as server:
        assert (Path(server._running()["run"]) / "data" / "PG_VERSION").exists()
    assert runs_in(place) == []


def test_a_long_temporary_folder_is_passed_over(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = place / ("x" * 90)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    run = RunFolder.create(server_account(), temporary=True)
    try:
        assert run.path.parent != deep
    finally:
        run.remove()


def test_no_place_at_all(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_module, "temporary_places", lambda: [place / "not there"])
    with pytest.raises(ConfigurationError, match="TMPDIR"):
        RunFolder.create(server_account(), temporary=True)


def test_the_sweep_leaves_young_folders_without_a_lock(place: Path) -> None:
    young, old = place / "data-bridge-pg-young", place / "data-bridge-pg-old"
    young.mkdir()
    old.mkdir()
    os.utime(old, (0, 0))
    assert [path for path in sweep() if path.parent == place] == [old]
    assert young.exists()


def test_the_sweep_takes_a_part_in_memory_whose_folder_is_gone(place: Path) -> None:
    run = RunFolder.create(server_account(), temporary=True)
    part = run.data_home
    run.release()
    for entry in list(run.path.iterdir()):
        if entry.is_dir():
            entry.rmdir()
        else:
            entry.unlink()
    run.path.rmdir()
    os.utime(part, (0, 0))
    if part != run.path:
        assert part in sweep()
        assert not part.exists()


AS_ANOTHER = """
import logging, os, sys
from pathlib import Path
from data_bridge.testing.server import find_supplier
from data_bridge.testing.server.cluster import make_cluster
logging.basicConfig()
supplier, data = find_supplier(), Path(sys.argv[1])
if os.geteuid() == 0:
    os.setgid(12345)
    os.setuid(12345)
make_cluster(supplier, data, None)
print((data / "PG_VERSION").read_text())
"""


def as_another_user(place: Path, data: str, cache: Path) -> subprocess.CompletedProcess[str]:
    """Make a data folder under a user id without an entry in the user database, where root may take one."""
    place.chmod(0o777)
    return subprocess.run(
        [sys.executable, "-c", AS_ANOTHER, str(place / data)],
        env={**os.environ, "DATA_BRIDGE_CACHE": str(cache)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("obstacle", ["a file", "no permission"])
def test_a_cache_that_cannot_be_written_is_no_obstacle(
    place: Path, monkeypatch: pytest.MonkeyPatch, obstacle: str, caplog: pytest.LogCaptureFixture
) -> None:
    cache = place / "file" / "cache" if obstacle == "a file" else Path("/proc/1/cache")
    (place / "file").write_text("")
    monkeypatch.setenv("DATA_BRIDGE_CACHE", str(cache))
    with EmbeddedServer() as server, server.admin() as session:
        assert session.run("SELECT 1") == [("1",)]
    assert runs_in(place) == []
    assert f"{cache} cannot keep a prepared data folder" in caplog.text


def test_a_prepared_folder_serves_a_user_without_an_entry(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container that runs an image under a user id of its own."""
    cache = place / "cache"
    monkeypatch.setenv("DATA_BRIDGE_CACHE", str(cache))
    make_cluster(find_supplier(), place / "first", server_account())
    done = as_another_user(place, "second", cache)
    assert (done.returncode, done.stdout.strip()) == (0, "18"), done.stderr


def test_without_one_initdb_names_the_remedy(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() == 0:
        done = as_another_user(place, "data", place / "cache")
        assert done.returncode == 1
        message, uid = done.stderr, 12345
    else:
        program = place / "initdb"
        program.write_text("#!/bin/sh\necho 'initdb: error: could not look up effective user ID 1' >&2\nexit 1\n")
        program.chmod(0o755)
        monkeypatch.setenv("DATA_BRIDGE_CACHE", str(place / "cache"))
        with pytest.raises(ServerError) as caught:
            make_cluster(Supplier("local", place, "18.6"), place / "data", None)
        message, uid = str(caught.value), os.geteuid()
    assert "could not look up effective user ID" in message
    assert f"hint: the user {uid} has no entry in /etc/passwd" in message
    assert "DATA_BRIDGE_CACHE=/opt/data-bridge data-bridge server run -- true" in message


def test_a_user_without_a_home_has_a_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("DATA_BRIDGE_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    monkeypatch.setattr(Path, "home", no_home)
    assert cache_folder() == Path(tempfile.gettempdir(), "data-bridge")


def test_a_full_disk_is_named_once(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: str, target: str, **_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), target)

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(ServerError) as caught:
        make_cluster(find_supplier(), place / "data", server_account())
    assert str(caught.value).count("No space left on device") == 1
    assert "hint: make room, or set TMPDIR" in str(caught.value)
    assert runs_in(place) == []
