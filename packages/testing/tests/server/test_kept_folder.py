"""The kept server: one folder, several processes, one server, nothing running when the last has gone."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from data_bridge.testing import ConfigurationError, EmbeddedServer

from ..conftest import Victim, eventually, is_alive, runs_in

USER = "s = EmbeddedServer({!r}).start(); print(s.pid, s._ask('state')['supervisor'])"


def run(server: EmbeddedServer, sql: str) -> list[tuple[str | None, ...]]:
    with server.admin() as session:
        return session.run(sql)


def test_data_stays(place: Path) -> None:
    with EmbeddedServer(place / "kept") as server:
        run(server, "CREATE TABLE stays AS SELECT 7 AS n")
        assert run(server, "SHOW fsync") == [("on",)]
        pid = server.pid
    assert pid is not None and not is_alive(pid)
    assert runs_in(place) == []
    with EmbeddedServer(place / "kept") as server:
        assert run(server, "SELECT n FROM stays") == [("7",)]
        assert "automatic recovery" not in server.log, "the last user's leave stops it cleanly"


def test_the_password_is_readable_by_its_owner_only(place: Path) -> None:
    with EmbeddedServer(place / "kept"):
        assert (place / "kept" / "data-bridge.json").stat().st_mode & 0o077 == 0


def test_processes_share_one_server(place: Path, victim: Callable[[str], Victim]) -> None:
    folder = str(place / "kept")
    first, second = victim(USER.format(folder)), victim(USER.format(folder))
    facts = first.line()
    assert second.line() == facts
    pid = int(facts.split()[0])
    first.finish()
    assert is_alive(pid)
    second.kill()
    assert eventually(lambda: not is_alive(pid), 2.0)
    assert eventually(lambda: runs_in(place) == [], 2.0)


def test_the_starter_may_be_killed_while_others_stay(place: Path, victim: Callable[[str], Victim]) -> None:
    folder = place / "kept"
    starter = victim(USER.format(str(folder)))
    pid = int(starter.line().split()[0])
    with EmbeddedServer(folder) as server:
        starter.kill()
        assert run(server, "SELECT 1") == [("1",)]
        assert server.pid == pid
    assert not is_alive(pid)


def test_many_starters_at_once(place: Path, victim: Callable[[str], Victim]) -> None:
    folder = str(place / "kept")
    crowd = [victim(USER.format(folder)) for _ in range(5)]
    assert len({one.line() for one in crowd}) == 1
    for one in crowd:
        one.kill()
    assert eventually(lambda: runs_in(place) == [], 3.0)


def test_leaving_and_coming_race(place: Path) -> None:
    """Whoever comes while the last one leaves waits for the end and starts again."""
    folder = place / "kept"
    errors: list[BaseException] = []

    def come_and_go() -> None:
        try:
            for _ in range(4):
                with EmbeddedServer(folder) as server:
                    assert run(server, "SELECT 1") == [("1",)]
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=come_and_go) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert runs_in(place) == []


def test_a_killed_keeper_does_not_block_the_next_start(place: Path, victim: Callable[[str], Victim]) -> None:
    folder = place / "kept"
    process = victim(USER.format(str(folder)))
    pid, supervisor = (int(part) for part in process.line().split())
    os.kill(supervisor, signal.SIGKILL)
    with EmbeddedServer(folder) as server:
        assert server.pid != pid
        assert run(server, "SELECT 1") == [("1",)]
    process.kill()
    assert runs_in(place) == []


def test_a_foreign_folder_is_refused(place: Path) -> None:
    (place / "mine").mkdir()
    (place / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(ConfigurationError, match=r"thesis\.txt"):
        EmbeddedServer(place / "mine").start()
    assert [entry.name for entry in (place / "mine").iterdir()] == ["thesis.txt"]


def test_a_file_is_refused(place: Path) -> None:
    (place / "file").write_text("")
    with pytest.raises(ConfigurationError, match="cannot be made"):
        EmbeddedServer(place / "file").start()


def test_data_of_another_major_version_is_refused(place: Path) -> None:
    with EmbeddedServer(place / "kept"):
        pass
    (place / "kept" / "pgdata" / "PG_VERSION").write_text("9\n")
    with pytest.raises(ConfigurationError, match="PostgreSQL 9"):
        EmbeddedServer(place / "kept").start()


def test_a_marker_of_another_format_is_refused(place: Path) -> None:
    (place / "kept").mkdir()
    (place / "kept" / "lock").touch()
    (place / "kept" / "data-bridge.json").write_text(json.dumps({"format": 99}))
    with pytest.raises(ConfigurationError, match="another version"):
        EmbeddedServer(place / "kept").start()


def test_a_held_server_outlives_its_users_until_shutdown(place: Path) -> None:
    with EmbeddedServer(place / "kept") as server:
        server.hold()
        pid = server.pid
    assert pid is not None and is_alive(pid)
    EmbeddedServer(place / "kept").start().shutdown()
    assert not is_alive(pid)
    assert runs_in(place) == []
