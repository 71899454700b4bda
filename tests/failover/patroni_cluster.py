"""Three nodes of Patroni with etcd and HAProxy, as Debian packages them, on the loopback interface."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from data_bridge.testing.server.account import server_account

PROGRAMS = ("patroni", "etcd", "haproxy")
SCOPE = "shop"
PASSWORD = "replica-of-a-test"
WAIT = 60.0


def missing_programs() -> list[str]:
    """What has to be installed."""
    found = [name for name in PROGRAMS if program(name) is None]
    return found if binaries() is not None else [*found, "postgresql"]


def program(name: str) -> str | None:
    """The path of a program."""
    return shutil.which(name, path=f"/usr/sbin:/usr/bin:/usr/local/bin:{os.environ.get('PATH', '')}")


def binaries() -> Path | None:
    """The folder of the programs of the newest PostgreSQL that Debian has installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda p: int(p.parts[4]))
    return found[-1].parent if found else None


def free_ports(number: int) -> list[int]:
    """Ports of the loopback interface that were free a moment ago."""
    with contextlib.ExitStack() as probes:
        sockets = [probes.enter_context(socket.socket()) for _ in range(number)]
        for probe in sockets:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in sockets]


def children_of(parent: int) -> list[int]:
    """The processes that a process has started."""
    found: list[int] = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The name in parentheses may hold spaces.
            if int(stat.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(stat.parent.name))
    return found


class Node:
    """One Patroni with its PostgreSQL."""

    def __init__(self, name: str, port: int, api: int, folder: Path) -> None:
        self.name = name
        self.port = port
        self.api = api
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        """The data folder of its PostgreSQL."""
        return self.folder / self.name

    def state(self) -> dict[str, Any] | None:
        """What its REST API says; None when nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.api}/patroni", timeout=2) as answer:
                found: dict[str, Any] = json.loads(answer.read())
                return found
        except (OSError, ValueError):
            return None

    def members(self) -> list[str]:
        """The roles of the members of the cluster that run, in order, as this node sees them."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.api}/cluster", timeout=2) as answer:
                members = json.loads(answer.read())["members"]
        except (OSError, ValueError):
            return []
        return sorted(
            m["role"] for m in members if m["state"] in ("running", "streaming") and m.get("lag", 0) != "unknown"
        )

    def is_primary(self) -> bool:
        """Whether it says that it is the primary."""
        state = self.state()
        return state is not None and state.get("role") in ("master", "primary") and state.get("state") == "running"

    def kill_postgres(self) -> None:
        """SIGKILL for the postmaster and all its children, as when memory has run out."""
        try:
            postmaster = int((self.data / "postmaster.pid").read_text().split()[0])
        except FileNotFoundError:  # it does not run
            return
        for pid in (postmaster, *children_of(postmaster)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def kill(self) -> None:
        """SIGKILL for Patroni and its PostgreSQL, as when the machine is gone."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
        self.kill_postgres()


class PatroniCluster:
    """A cluster of three nodes with synchronous replication, and HAProxy in front of it.

    Attributes:
        nodes: the nodes.
        hosts_dsn: a connection string that names all of them.
        haproxy_dsn: one that leads to HAProxy, which forwards to the primary.
    """

    def __init__(self) -> None:
        self.account = server_account()
        self.folder = Path(tempfile.mkdtemp(prefix="data-bridge-patroni-"))
        self.folder.chmod(0o755)
        self._ports = free_ports(9)
        self.nodes = [
            Node(f"node{n}", self._ports[n], self._ports[n + 3], self._owned(self.folder / f"home{n}"))
            for n in range(3)
        ]
        account = f"postgres:{PASSWORD}"
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)
        self.hosts_dsn = f"postgresql://{account}@{hosts}/postgres"
        self.haproxy_dsn = f"postgresql://{account}@127.0.0.1:{self._ports[8]}/postgres"
        self._others: list[subprocess.Popen[bytes]] = []

    def _owned(self, folder: Path) -> Path:
        folder.mkdir(mode=0o700)
        if self.account:
            os.chown(folder, self.account.uid, self.account.gid)
        return folder

    def _run(self, name: str, *arguments: str, folder: Path) -> subprocess.Popen[bytes]:
        path = program(name)
        assert path is not None
        log = (self.folder / f"{folder.name}-{name}.log").open("ab")
        environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C.UTF-8", "PYTHONWARNINGS": "ignore"}
        with log:
            return subprocess.Popen(
                [path, *arguments],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **(self.account.drop() if self.account else {}),
            )

    def start(self) -> None:
        """Starts everything, and waits until there are a primary and two replicas."""
        client, peer = self._ports[6], self._ports[7]
        home = self._owned(self.folder / "etcd")
        self._others.append(
            self._run(
                "etcd",
                f"--data-dir={home}/data",
                f"--listen-client-urls=http://127.0.0.1:{client}",
                f"--advertise-client-urls=http://127.0.0.1:{client}",
                f"--listen-peer-urls=http://127.0.0.1:{peer}",
                f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
                f"--initial-cluster=default=http://127.0.0.1:{peer}",
                folder=home,
            )
        )
        for node in self.nodes:
            self.start_node(node)
        self._start_haproxy()
        self.whole()

    def start_node(self, node: Node) -> None:
        """Starts a node, also one that was killed: it comes back as a replica."""
        path = node.folder / "patroni.json"
        path.write_text(json.dumps(self._settings(node)))
        path.chmod(0o644)
        node.process = self._run("patroni", str(path), folder=node.folder)

    def _settings(self, node: Node) -> dict[str, Any]:
        user = {"username": "postgres", "password": PASSWORD}
        return {
            "scope": SCOPE,
            "name": node.name,
            "restapi": {"listen": f"127.0.0.1:{node.api}", "connect_address": f"127.0.0.1:{node.api}"},
            "etcd3": {"host": f"127.0.0.1:{self._ports[6]}"},
            "bootstrap": {
                "dcs": {
                    "ttl": 20,
                    "loop_wait": 1,
                    "retry_timeout": 5,
                    "master_start_timeout": 0,
                    "synchronous_mode": True,
                    "postgresql": {
                        "use_pg_rewind": True,
                        "parameters": {"wal_log_hints": "on", "max_connections": 50, "fsync": "off", "wal_keep_size": "256MB"},
                    },
                },
                "initdb": [{"encoding": "UTF8"}, "data-checksums"],
            },
            "postgresql": {
                "listen": f"127.0.0.1:{node.port}",
                "connect_address": f"127.0.0.1:{node.port}",
                "data_dir": str(node.data),
                "bin_dir": str(binaries()),
                "pgpass": str(node.folder / "pgpass"),
                "authentication": {"superuser": user, "replication": user, "rewind": user},
                "parameters": {"unix_socket_directories": str(node.folder)},
                "pg_hba": ["local all all trust", "host all all 127.0.0.1/32 scram-sha-256", "host replication all 127.0.0.1/32 scram-sha-256"],
            },
        }  # fmt: skip

    def _start_haproxy(self) -> None:
        home = self._owned(self.folder / "haproxy")
        servers = "\n".join(f"    server {n.name} 127.0.0.1:{n.port} maxconn 50 check port {n.api}" for n in self.nodes)
        (home / "haproxy.cfg").write_text(
            f"""
defaults
    mode tcp
    retries 2
    timeout client 30m
    timeout connect 4s
    timeout server 30m
    timeout check 2s
listen primary
    bind 127.0.0.1:{self._ports[8]}
    option httpchk OPTIONS /primary
    http-check expect status 200
    default-server inter 500ms fall 2 rise 1 on-marked-down shutdown-sessions
{servers}
"""
        )
        (home / "haproxy.cfg").chmod(0o644)
        self._others.append(self._run("haproxy", "-f", str(home / "haproxy.cfg"), folder=home))

    def primary(self) -> Node | None:
        """The node that says it is the primary."""
        return next((node for node in self.nodes if node.is_primary()), None)

    def whole(self) -> Node:
        """Waits until there are a primary and two replicas, one of them synchronous; returns the primary.

        Raises:
            TimeoutError: with the end of the logs.
        """
        until = time.monotonic() + WAIT
        while time.monotonic() < until:
            primary = self.primary()
            if primary is not None and primary.members() == ["leader", "replica", "sync_standby"]:
                return primary
            time.sleep(0.1)
        raise TimeoutError(f"the cluster is not whole:\n{self.logs()}")

    def logs(self) -> str:
        """The end of each log."""
        return "\n".join(
            f"--- {path.name}\n{path.read_text(errors='replace')[-1500:]}" for path in sorted(self.folder.glob("*.log"))
        )

    def stop(self) -> None:
        """Ends every process, and deletes the folder."""
        for node in self.nodes:
            node.kill()
        for process in self._others:
            process.kill()
            process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def running_cluster() -> Iterator[PatroniCluster]:
    """A cluster for a block."""
    cluster = PatroniCluster()
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
