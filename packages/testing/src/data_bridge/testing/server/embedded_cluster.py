"""`EmbeddedCluster`: a primary and replicas that follow it by streaming replication."""

from __future__ import annotations

import time
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from data_bridge.testing.errors import ServerError
from data_bridge.testing.server.server import EmbeddedServer

__all__ = ["EmbeddedCluster"]

SETTINGS = {"wal_level": "replica", "max_wal_senders": "10", "hot_standby": "on", "wal_receiver_status_interval": "1s"}
PATIENCE = 30.0


class EmbeddedCluster:
    """Temporary servers of PostgreSQL's own streaming replication, for tests of reads on replicas and of fail-over.

    Args:
        replicas: how many follow the primary.
        provider: where the programs come from, as for `EmbeddedServer`.

    Attributes:
        primary: the server that is written to.
        replicas: the servers that follow it.

    >>> from data_bridge.testing import EmbeddedCluster
    >>> with EmbeddedCluster(replicas=1) as cluster:
    ...     rows = cluster.run("CREATE TABLE t (n int)")
    ...     cluster.catch_up()
    ...     print(*cluster.run("SELECT count(*) FROM t", on=cluster.replicas[0]))
    ('0',)
    """

    def __init__(self, replicas: int = 2, *, provider: str | None = None) -> None:
        self.primary = EmbeddedServer(provider=provider, settings=SETTINGS)
        self.replicas: list[EmbeddedServer] = []
        self._wanted = replicas
        self._servers = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._servers.enter_context(self.primary)
            for _ in range(self._wanted):
                self.replicas.append(self._servers.enter_context(EmbeddedServer.standby_of(self.primary)))
        except BaseException:
            self._servers.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._servers.close()

    @property
    def dsn(self) -> str:
        """URL of the primary."""
        return self.primary.dsn

    @property
    def replica_dsns(self) -> list[str]:
        """URLs of the replicas."""
        return [replica.dsn for replica in self.replicas]

    @property
    def hosts_dsn(self) -> str:
        """URL that names all servers, the primary first; connect with `target_session_attrs`."""
        first, _, rest = self.primary.dsn.partition("@")
        ports = [server.dsn.rpartition(":")[2].partition("/")[0] for server in (self.primary, *self.replicas)]
        return f"{first}@{','.join(f'127.0.0.1:{port}' for port in ports)}/{rest.partition('/')[2]}"

    def run(self, sql: str, *, on: EmbeddedServer | None = None) -> list[tuple[str | None, ...]]:
        """Run SQL as superuser on a server, by default the primary; values come as text."""
        with (on or self.primary).admin() as session:
            return session.run(sql)

    def pause(self, replica: EmbeddedServer) -> None:
        """Have a replica stop replaying; it goes on receiving, and answers with the rows that it has."""
        self.run("SELECT pg_wal_replay_pause()", on=replica)

    def resume(self, replica: EmbeddedServer) -> None:
        """Have a replica replay again."""
        self.run("SELECT pg_wal_replay_resume()", on=replica)

    def catch_up(self) -> None:
        """Wait until every replica that runs has replayed what the primary has written.

        Raises:
            ServerError: one of them does not.
        """
        # A record at the end, because the place behind an empty page is reached by none.
        self.run("SELECT pg_logical_emit_message(false, 'data-bridge', '')")
        ((position,),) = self.run("SELECT pg_current_wal_insert_lsn()")
        until = time.monotonic() + PATIENCE
        for replica in self.replicas:
            while replica.pid is not None:
                if self.run(f"SELECT pg_last_wal_replay_lsn() >= '{position}'", on=replica) == [("t",)]:
                    break
                if time.monotonic() > until:
                    raise ServerError(
                        f"a replica has not replayed {position} within {PATIENCE:g} s:\n{replica.log[-2000:]}"
                    )
                time.sleep(0.01)

    def promote(self, replica: EmbeddedServer) -> None:
        """Stop the primary as by a crash, make a replica the new one, and have the others follow it."""
        if self.primary.pid is not None:
            self.primary.stop_postmaster("immediate")
        self.run("SELECT pg_promote(true, 30)", on=replica)
        self.replicas.remove(replica)
        self.primary = replica
        host, port = str(replica.socket.parent), replica.socket.name.rpartition(".")[2]
        for other in self.replicas:
            self.run(f"ALTER SYSTEM SET primary_conninfo = 'user=postgres host={host} port={port}'", on=other)
            self.run("SELECT pg_reload_conf()", on=other)
