"""The server of a test run: the embedded one, or the one that was named; the same questions to both."""

from __future__ import annotations

from contextlib import closing
from typing import Any, Protocol
from urllib.parse import quote, urlsplit, urlunsplit

from data_bridge.testing._blocking import BlockingSession
from data_bridge.testing._options import Options
from data_bridge.testing.errors import ConfigurationError
from data_bridge.testing.server import EmbeddedServer, find_supplier

__all__ = ["EmbeddedSource", "ForeignSource", "Session", "Source", "attach", "describe", "open_source"]

SETTINGS = {
    # A leak fails instead of hanging the run.
    "deadlock_timeout": "200ms",
    "lock_timeout": "20s",
    "idle_in_transaction_session_timeout": "10min",
}


FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
"""Settings of the server whose databases are kept to be looked at: as little is worth a disk flush as on a temporary one."""


class Session(Protocol):
    """A blocking session of the harness."""

    def run(self, sql: str) -> list[tuple[str | None, ...]]:
        """Run one statement and return its rows as text."""
        ...

    def script(self, sql: str) -> object:
        """Run several statements."""
        ...

    def close(self) -> None:
        """End the session."""
        ...


class Source(Protocol):
    """A server on which the harness makes databases."""

    owned: bool
    """Whether the server is ours alone: then we may change its settings and clone by copying files."""
    lasts: bool
    """Whether the server outlives the run, so that databases must be dropped and templates may be found again."""

    @property
    def version(self) -> str:
        """The server's version."""
        ...

    def dsn_of(self, database: str) -> str:
        """URL of a database."""
        ...

    def session(self, database: str | None = None) -> Session:
        """Open a session for the harness; None is the database that is always there."""
        ...

    def facts(self) -> dict[str, Any]:
        """What `attach` needs in a worker process."""
        ...

    def close(self) -> None:
        """Give the server up."""
        ...


class EmbeddedSource:
    """The embedded server of the run."""

    owned = True

    def __init__(self, server: EmbeddedServer, *, lasts: bool = False) -> None:
        self.server = server
        self.lasts = lasts

    @property
    def version(self) -> str:
        """The server's version."""
        return self.server.version

    def dsn_of(self, database: str) -> str:
        """URL of a database."""
        return self.server.dsn_of(database)

    def session(self, database: str | None = None) -> Session:
        """A session by the private socket."""
        return self.server.admin(database or "postgres")

    def facts(self) -> dict[str, Any]:
        """What a worker needs."""
        return {"embedded": self.server.facts, "lasts": self.lasts}

    def close(self) -> None:
        """Give the server up."""
        self.server.close()


class ForeignSource:
    """A server that was named by URL. Only databases of our own are made and dropped on it."""

    owned = False
    lasts = True

    def __init__(self, url: str, origin: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("postgresql", "postgres"):
            raise ConfigurationError(
                f"{origin} is not a PostgreSQL URL", hint="postgresql://user:password@host:5432/database"
            )
        self._url = url
        self._origin = origin
        self._database = parts.path.lstrip("/") or "postgres"
        self._version: str | None = None

    @property
    def version(self) -> str:
        """The server's version."""
        if self._version is None:
            with closing(self.session()) as session:
                self._version = str(session.run("SHOW server_version")[0][0]).split()[0]
        return self._version

    def dsn_of(self, database: str) -> str:
        """The URL with another database."""
        return urlunsplit(urlsplit(self._url)._replace(path="/" + quote(database, safe="")))

    def session(self, database: str | None = None) -> Session:
        """A session through data_bridge.core, which knows passwords and TLS."""
        return BlockingSession(self.dsn_of(database or self._database))

    def facts(self) -> dict[str, Any]:
        """What a worker needs."""
        return {"url": self._url, "origin": self._origin}

    def close(self) -> None:
        """Nothing to give up."""


def open_source(options: Options, *, workers: int = 1) -> Source:
    """Start or find the server of a run.

    Raises ConfigurationError when there is none, ServerError when it does not start.
    """
    if options.url:
        return ForeignSource(options.url, options.url_origin)
    provider = options.provider
    if options.version is not None:
        provider = str(find_supplier(provider, major=options.version).bin)
    kept = options.keep_folder
    settings = SETTINGS if kept is None else SETTINGS | FAST
    server = EmbeddedServer(kept, provider=provider, settings=settings, connections=100 + 20 * workers)
    return EmbeddedSource(server.start(), lasts=kept is not None)


def attach(facts: dict[str, Any]) -> Source:
    """The server that the controlling process of a parallel run keeps."""
    if "embedded" in facts:
        return EmbeddedSource(EmbeddedServer.attached(facts["embedded"]), lasts=facts["lasts"])
    return ForeignSource(facts["url"], facts["origin"])


def describe(options: Options) -> str:
    """One line for pytest's header; nothing is started for it."""
    if options.url:
        parts = urlsplit(options.url)
        port = f":{parts.port}" if parts.port else ""
        return f"PostgreSQL at {parts.hostname or 'the local socket'}{port} (from {options.url_origin})"
    try:
        supplier = find_supplier(options.provider, major=options.version)
    except ConfigurationError as error:
        return f"no PostgreSQL: {str(error).splitlines()[0]}"
    place = "wheel " + supplier.name if supplier.from_wheel else str(supplier.bin)
    return f"PostgreSQL {supplier.version} ({place})"
