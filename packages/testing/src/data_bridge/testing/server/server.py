"""`EmbeddedServer`: a PostgreSQL that needs no installation, no account, no port and no cleaning up."""

from __future__ import annotations

import atexit
import os
import secrets
import shutil
import socket
import weakref
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from data_bridge.core._native import quote_literal
from data_bridge.testing.errors import ServerError
from data_bridge.testing.server.account import Account, server_account
from data_bridge.testing.server.admin import AdminSession
from data_bridge.testing.server.client import SupervisorClient
from data_bridge.testing.server.cluster import SUPERUSER, copy_cluster, make_cluster, server_settings
from data_bridge.testing.server.kept_folder import KeptFolder
from data_bridge.testing.server.programs import Supplier, find_supplier
from data_bridge.testing.server.run_folder import RunFolder, sweep

__all__ = ["EmbeddedServer"]

_open: weakref.WeakSet[EmbeddedServer] = weakref.WeakSet()


class EmbeddedServer:
    """A private PostgreSQL server, started in tens of milliseconds and gone with its user.

    Without a path the server is temporary: it ends with the block, or with the process however that ends, and leaves
    neither a process nor a file. With a path its data is kept there; every process that names the same path shares one
    server, which stops when the last of them has gone. The folder must be empty or made by this class.

    Args:
        path: folder for the data of a kept server.
        provider: where the programs come from: a wheel's name, `local`, or a folder; default: see `find_supplier`.
        settings: server settings over the built-in ones, as in postgresql.conf.
        connections: the limit of connections.

    Raises:
        ConfigurationError: no PostgreSQL found, or the folder is not ours.
        ServerError: the server does not start; the text ends with its log.

    >>> from data_bridge.testing import EmbeddedServer
    >>> with EmbeddedServer() as server:
    ...     server.dsn.split("@")[1].startswith("127.0.0.1:")
    True
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        provider: str | None = None,
        settings: Mapping[str, str] | None = None,
        connections: int = 100,
    ) -> None:
        self.path = None if path is None else Path(path).expanduser().absolute()
        self._provider = provider
        self._settings = dict(settings or {})
        self._connections = connections
        self._link: SupervisorClient | None = None
        self._state: dict[str, Any] = {}
        self._primary: EmbeddedServer | None = None

    @classmethod
    def standby_of(cls, primary: EmbeddedServer) -> Self:
        """A server that replicates another one; see `EmbeddedCluster`."""
        server = cls(provider=primary._provider, settings=primary._settings, connections=primary._connections)
        server._primary = primary
        return server

    # -------------------------------------------------------------------------------------------------- facts
    @property
    def dsn(self) -> str:
        """URL of the database `postgres` over the loopback interface, password included."""
        return self.dsn_of("postgres")

    def dsn_of(self, database: str) -> str:
        """URL of another database of this server."""
        state = self._running()
        return f"postgresql://{SUPERUSER}:{state['password']}@127.0.0.1:{state['port']}/{quote(database, safe='')}"

    def socket_dsn_of(self, database: str) -> str:
        """The same by the unix socket, without a password: for programs that may enter its folder."""
        state = self._running()
        return (
            f"postgresql://{SUPERUSER}@/{quote(database, safe='')}?host={quote(state['sockets'])}&port={state['port']}"
        )

    @property
    def socket(self) -> Path:
        """The unix socket itself."""
        state = self._running()
        return Path(state["sockets"], f".s.PGSQL.{state['port']}")

    @property
    def version(self) -> str:
        """The server's version, for example "18.6"."""
        return str(self._running()["version"])

    @property
    def supplier(self) -> str:
        """Where the programs came from: a wheel's name or `local`."""
        return str(self._running()["supplier"])

    @property
    def bin(self) -> Path:
        """The folder of the server's programs, as the server's account sees it."""
        return Path(self._running()["bin"])

    @property
    def pid(self) -> int | None:
        """Process id of the postmaster; None while it is stopped."""
        pid = self._ask("state")["pid"]
        return None if pid is None else int(pid)

    @property
    def log(self) -> str:
        """What the server has printed so far."""
        return Path(self._running()["run"], "server.log").read_text(errors="replace")

    # --------------------------------------------------------------------------------------------------- life
    def start(self) -> Self:
        """Start the server, or join it when another process has started it; harmless when done already."""
        if self._state:
            return self
        sweep()
        if self.path is None:
            self._start_temporary()
        else:
            with KeptFolder(self.path) as kept:
                joined = kept.join()
                if joined:
                    self._link, self._state = joined
                else:
                    self._start_kept(kept)
        _open.add(self)
        return self

    def close(self) -> None:
        """Give the server up; it ends when no other process uses it. Harmless when closed already."""
        link = self._detach()
        if link is not None:
            link.leave()

    def hold(self) -> None:
        """Let the server run on without users, until `shutdown`."""
        self._ask("hold")

    def shutdown(self) -> None:
        """End the server now, even while it is used."""
        self._ask("shutdown")
        link = self._detach()
        if link is not None:
            link.wait_closed()
            link.leave()

    @property
    def facts(self) -> dict[str, Any]:
        """What another process of this machine needs to use the server while this one keeps it: see `attached`."""
        return dict(self._running())

    @classmethod
    def attached(cls, facts: Mapping[str, Any]) -> Self:
        """A view of a server that another process keeps; closing it does nothing, stopping it is not possible."""
        server = cls()
        server._state = dict(facts)
        return server

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        where = "temporary" if self.path is None else str(self.path)
        return f"<EmbeddedServer {where} {'started' if self._state else 'not started'}>"

    def admin(self, database: str = "postgres") -> AdminSession:
        """A blocking session of the superuser for the harness itself."""
        return AdminSession(self.socket, database)

    def stop_postmaster(self, mode: str = "fast") -> None:
        """Stop the server process but keep its data and port; `start_postmaster` brings it back."""
        self._ask("stop", mode=mode)

    def start_postmaster(self) -> None:
        """Start the server process again."""
        self._ask("start")

    # ----------------------------------------------------------------------------------------------- internals
    def _detach(self) -> SupervisorClient | None:
        link, self._link, self._state = self._link, None, {}
        _open.discard(self)
        return link

    def _running(self) -> dict[str, Any]:
        if not self._state:
            raise ServerError("the embedded server is not started: use `with EmbeddedServer() as server:` or start()")
        return self._state

    def _ask(self, what: str, **details: str) -> dict[str, Any]:
        self._running()
        if self._link is None:
            raise ServerError("another process keeps this server; only that one may stop or ask it")
        return self._link.ask(what, **details)

    def _start_temporary(self) -> None:
        account = server_account()
        run = RunFolder.create(account, temporary=True)
        try:
            supplier = _made_reachable(find_supplier(self._provider), account, run)
            data = run.data_home / "data"
            if self._primary is None:
                make_cluster(supplier, data, account)
            else:
                copy_cluster(supplier, self._primary._running(), data, account)
            self._launch(run, data, supplier, account)
        except BaseException:
            self.close()
            run.remove()
            raise
        run.release()

    def _start_kept(self, kept: KeptFolder) -> None:
        account = server_account()
        kept.wait_free()
        run = RunFolder.create(account, temporary=False)
        try:
            supplier = _made_reachable(find_supplier(self._provider, major=kept.major()), account, run)
            if kept.major() is None:
                make_cluster(supplier, kept.data, account)
            self._launch(run, kept.data, supplier, account)
            kept.record(self._state)
        except BaseException:
            self.close()
            run.remove()
            raise
        run.release()

    def _launch(self, run: RunFolder, data: Path, supplier: Supplier, account: Account | None) -> None:
        temporary = self.path is None
        free = shutil.disk_usage(run.data_home).free
        defaults = server_settings(supplier, temporary=temporary, free=free, connections=self._connections)
        self._link = SupervisorClient.launch(
            {
                "run": str(run.path),
                "data": str(data),
                "data_home": str(run.data_home),
                "postgres": str(supplier.program("postgres")),
                "settings": {**defaults, **self._settings},
                "drop": account.drop() if account else {},
                "temporary": temporary,
                "shared": not temporary,
                "through_descriptor": account is not None and not account.can_enter(data),
            },
            run.lock,
        )
        self._state = {
            "run": str(run.path),
            "sockets": str(run.sockets),
            "port": self._link.ask("state")["port"],
            "password": secrets.token_hex(16),
            "version": supplier.version,
            "supplier": supplier.name,
            "bin": str(supplier.bin),
        }
        _check_loopback(int(self._state["port"]))
        if self._primary is not None:
            self._state["password"] = self._primary._running()["password"]
            return
        with self.admin() as session:
            # Written at once: a server that is crashed on purpose a moment later must still know it.
            session.run("SET synchronous_commit = on")
            session.run(f"ALTER ROLE {SUPERUSER} PASSWORD {quote_literal(self._state['password'])}")


def _check_loopback(port: int) -> None:
    """Raises ServerError where the loopback interface is down, as in a new network namespace."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10):
            pass
    except OSError as error:
        raise ServerError(
            f"the server runs, but 127.0.0.1 cannot be reached: {error.strerror or error}"
            "\nhint: bring the loopback interface up (`ip link set lo up`), or let the container have a network"
        ) from error


def _made_reachable(supplier: Supplier, account: Account | None, run: RunFolder) -> Supplier:
    """The supplier itself, or a copy in the run folder when the server's account cannot reach it."""
    if supplier.reachable_by(account):
        return supplier
    programs = run.path / "pg"
    programs.mkdir()
    return supplier.copied_to(programs)


@atexit.register
def _close_all() -> None:
    for server in list(_open):
        server.close()
