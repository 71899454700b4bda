"""The temporary server: it starts, is reachable both ways, and leaves nothing however its user ends."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from data_bridge.testing import EmbeddedServer, ServerError
from data_bridge.testing.server.run_folder import MEMORY, sweep
from data_bridge.testing.server.server import _check_loopback
from data_bridge.testing.server.supervisor import free_port

from ..conftest import Victim, eventually, is_alive, runs_in

FACTS = "s = EmbeddedServer().start(); print(s.pid, s._ask('state')['supervisor'], s._state['run'])"


def psql(server: EmbeddedServer, dsn: str, sql: str) -> str:
    """Run psql with nothing from the environment."""
    command = [server.bin / "psql", "--no-psqlrc", "-At", "-w", "-c", sql, dsn]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": os.environ["PATH"]})
    return done.stdout.strip() or done.stderr.strip()


def test_a_block_is_all_it_takes(place: Path) -> None:
    with EmbeddedServer() as server:
        pid = server.pid
        assert pid is not None and is_alive(pid)
        assert psql(server, server.dsn, "SELECT 6 * 7") == "42"
        assert psql(server, server.socket_dsn_of("postgres"), "SELECT 6 * 7") == "42"
        assert server.version in psql(server, server.dsn, "SHOW server_version")
    assert not is_alive(pid)
    assert runs_in(place) == []


def test_tcp_wants_the_password(place: Path) -> None:
    with EmbeddedServer() as server:
        stranger = server.dsn.replace(server.dsn.split(":")[2].split("@")[0], "wrong")
        assert "password authentication failed" in psql(server, stranger, "SELECT 1")


def test_the_socket_folder_is_private(place: Path) -> None:
    with EmbeddedServer() as server:
        assert server.socket.is_socket()
        assert server.socket.parent.stat().st_mode & 0o077 == 0


def test_two_servers_do_not_meet(place: Path) -> None:
    with EmbeddedServer() as one, EmbeddedServer() as two:
        assert one.dsn.rsplit("@")[1] != two.dsn.rsplit("@")[1]
        psql(one, one.dsn, "CREATE TABLE only_here (id int)")
        assert "does not exist" in psql(two, two.dsn, "SELECT FROM only_here")


def test_settings_reach_the_server(place: Path) -> None:
    with EmbeddedServer(settings={"work_mem": "7MB"}, connections=17) as server:
        assert (
            psql(server, server.dsn, "SELECT current_setting('work_mem') || current_setting('max_connections')")
            == "7MB17"
        )
        assert psql(server, server.dsn, "SHOW fsync") == "off"


def test_case_folding_is_that_of_unicode(place: Path) -> None:
    with EmbeddedServer() as server:
        assert psql(server, server.dsn, "SELECT lower('ÄÖÜ') || upper('ß')") in ("äöüSS", "äöüß")
        assert psql(server, server.dsn, "SELECT 'MÜLLER' ILIKE 'müller'") == "t"


def test_a_wrong_setting_shows_the_log(place: Path) -> None:
    with pytest.raises(ServerError, match="unrecognized configuration parameter"):
        EmbeddedServer(settings={"no_such_setting": "1"}).start()
    assert runs_in(place) == []


def test_facts_of_a_server_that_is_not_started() -> None:
    server = EmbeddedServer()
    with pytest.raises(ServerError, match="not started"):
        _ = server.dsn
    assert "not started" in repr(server)


def test_closing_twice_is_harmless(place: Path) -> None:
    server = EmbeddedServer().start()
    assert server.start() is server
    server.close()
    server.close()
    assert runs_in(place) == []


def test_stop_and_start_keep_data_and_address(place: Path) -> None:
    with EmbeddedServer() as server:
        dsn, first = server.dsn, server.pid
        psql(server, dsn, "CREATE TABLE kept (id int)")
        for mode in ("fast", "immediate", "smart"):
            server.stop_postmaster(mode)
            assert server.pid is None
            assert "refused" in psql(server, dsn, "SELECT 1")
            server.start_postmaster()
            assert server.pid not in (None, first)
            assert psql(server, dsn, "SELECT count(*) FROM kept") == "0"


def test_a_stalled_server_can_still_be_closed(place: Path) -> None:
    with EmbeddedServer() as server:
        pid = server.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
    assert not is_alive(pid)
    assert runs_in(place) == []


def test_a_thread_may_start_it_and_end(place: Path) -> None:
    """A parent-death signal follows the thread that forked; the supervisor stands between."""
    server = EmbeddedServer()
    thread = threading.Thread(target=server.start)
    thread.start()
    thread.join()
    try:
        assert psql(server, server.dsn, "SELECT 1") == "1"
    finally:
        server.close()


def test_the_end_of_the_process_is_enough(place: Path, victim: Callable[[str], Victim]) -> None:
    process = victim(FACTS)
    pid, supervisor, run = process.line().split()
    assert process.finish() == 0
    assert not is_alive(int(pid)) and not is_alive(int(supervisor))
    assert not Path(run).exists() and not (MEMORY / Path(run).name).exists()


def test_a_killed_process_leaves_nothing(place: Path, victim: Callable[[str], Victim]) -> None:
    process = victim(FACTS)
    pid, supervisor, run = process.line().split()
    process.kill()
    assert eventually(lambda: not is_alive(int(pid)) and not is_alive(int(supervisor)), 2.0)
    assert not Path(run).exists() and not (MEMORY / Path(run).name).exists()


def test_a_killed_keeper_takes_the_server_along_and_the_next_start_sweeps(
    place: Path, victim: Callable[[str], Victim]
) -> None:
    process = victim(FACTS)
    pid, supervisor, run = process.line().split()
    os.kill(int(supervisor), signal.SIGKILL)
    assert eventually(lambda: not is_alive(int(pid)), 2.0)
    process.kill()
    assert Path(run).exists()
    with EmbeddedServer():
        assert not Path(run).exists()
    assert runs_in(place) == []


def test_the_sweep_spares_living_servers(place: Path, victim: Callable[[str], Victim]) -> None:
    process = victim(FACTS)
    pid = int(process.line().split()[0])
    with EmbeddedServer() as server:
        assert server.pid != pid
    assert is_alive(pid)
    assert len(runs_in(place)) == 2 if MEMORY.is_dir() else 1
    process.kill()


def test_the_sweep_of_another_temporary_folder_spares_living_servers(
    place: Path, victim: Callable[[str], Victim], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = victim(FACTS)
    pid, _, run = process.line().split()
    memory = MEMORY / Path(run).name
    if not memory.exists():
        return  # the data of this server does not lie in memory
    os.utime(memory, (0, 0))
    monkeypatch.setattr("data_bridge.testing.server.run_folder.temporary_places", lambda: [tmp_path])
    assert memory not in sweep()
    assert is_alive(int(pid)) and memory.exists()
    process.kill()


def test_a_forked_child_does_not_end_the_server_of_its_parent(place: Path) -> None:
    with EmbeddedServer() as server:
        child = os.fork()
        if child == 0:
            server.close()
            os._exit(0)
        os.waitpid(child, 0)
        assert psql(server, server.dsn, "SELECT 1") == "1"


def test_a_loopback_interface_that_is_down_is_named() -> None:
    """Nothing listens there: the same refusal by the operating system, whatever its reason."""
    with pytest.raises(ServerError, match=r"127\.0\.0\.1 cannot be reached: .*\nhint: bring the loopback interface up"):
        _check_loopback(free_port())
