"""The steps from a connection string to a session, in their order."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from data_bridge.core._native import LoadPlan
from data_bridge.core.connection.database import Database
from data_bridge.core.doctor.causes import passed_before, refusal
from data_bridge.core.doctor.network import certificate, port_open, resolved
from data_bridge.core.doctor.step import Failed, Step
from data_bridge.core.errors import ConfigurationError, ConnectError, DataBridgeError
from data_bridge.core.settings.dsn import Address, parse

__all__ = ["examine"]

_OLDEST = 14
"""The oldest version that the PostgreSQL project maintains."""
_SESSION = """
    SELECT pg_catalog.current_setting('server_version'), pg_catalog.current_setting('server_version_num')::int,
           pg_catalog.current_setting('server_encoding'), pg_catalog.pg_is_in_recovery(),
           pg_catalog.current_setting('default_transaction_read_only') = 'on'
"""
_PID = "SELECT pg_catalog.pg_backend_pid()"
_VALUE = LoadPlan.scalars(many=False)


async def examine(dsn: str | None, timeout: float) -> list[Step]:
    """Everything up to the first step that fails.

    Args:
        dsn: a connection string; None for $DATABASE_URL and the PG* variables.
        timeout: seconds for each step on the network.
    """
    steps: list[Step] = []
    try:
        address = _address(dsn, steps)
        try:
            steps += _credentials(address, dsn)
            _reached(address, timeout, steps)
            await _session(address, dsn, timeout, steps)
        finally:
            if address.release is not None:
                address.release()
    except Failed as e:
        steps.append(e.step)
    return steps


def _address(dsn: str | None, steps: list[Step]) -> Address:
    given = dsn if dsn is not None else os.environ.get("DATABASE_URL")
    try:
        address = parse(given)
    except ConfigurationError as e:
        raise Failed(
            "dsn", str(e).partition("\n")[0], "correct the connection string, its service or the PG* variables"
        ) from None
    places = ",".join(f"{host}:{port}" for host, port in address.hosts)
    steps.append(Step("dsn", "ok", f"{address.user}@{places}/{address.database or address.user}"))
    return address


def _credentials(address: Address, dsn: str | None) -> Iterator[Step]:
    given = os.environ.get("PGPASSFILE")
    try:
        file = Path(given) if given else Path.home() / ".pgpass"
        mode = file.stat().st_mode
    except (OSError, RuntimeError):
        file, mode = None, 0
    if address.password is not None:
        yield Step("password", "ok", "there is one")
    elif file is not None and os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield Step("password", "warning", f"{file} is ignored, because others may read it", f"chmod 600 {file}")
    elif file is not None:
        yield Step(
            "password",
            "warning",
            f"there is none, and no line of {file} fits",
            "add host:port:database:user:password, if the server asks for one",
        )
    else:
        yield Step("password", "ok", "there is none")


def _reached(address: Address, timeout: float, steps: list[Step]) -> None:
    """Every host in turn: one that is reached is enough, and the others are warnings."""
    failures: list[Step] = []
    reached = False
    for host, port in address.hosts:
        try:
            steps.append(resolved(host))
            step, plug = port_open(host, port, timeout)
            steps.append(step)
            with plug:
                steps.append(certificate(address, host, plug))
            reached = True
        except Failed as e:
            failures.append(e.step)
    if not reached:
        steps += [Step(f.name, "warning", f.detail, f.cure) for f in failures[:-1]]
        raise Failed(failures[-1].name, failures[-1].detail, failures[-1].cure)
    steps += [Step(f.name, "warning", f.detail, f.cure) for f in failures]


async def _session(address: Address, dsn: str | None, timeout: float, steps: list[Step]) -> None:
    try:
        database = Database(
            dsn,
            max_connections=2,
            connect_timeout=timeout,
            acquire_timeout=timeout,
            application_name="data-bridge doctor",
        )
    except DataBridgeError as e:
        raise Failed("dsn", str(e).partition("\n")[0], "correct the connection string") from None
    try:
        try:
            await database.connect()
        except ConnectError as e:
            failed = refusal(e, address)
            steps += passed_before(failed.step.name)
            raise failed from None
        steps += passed_before(None)
        steps.append(await _server(database))
        steps.append(await _pooler(database))
    except DataBridgeError as e:
        raise Failed("session", f"a statement fails: {type(e).__name__}", "look at the log of the server") from None
    finally:
        await database.close(timeout=0)


async def _server(database: Database) -> Step:
    row = await database.fetch_one(_SESSION, as_=tuple)
    version, number, encoding, recovers, read_only = row or ("?", 0, "?", False, False)
    detail = f"PostgreSQL {version}, {encoding}"
    if number < _OLDEST * 10_000:
        return Step("server", "warning", detail, f"versions before {_OLDEST} get no fixes any more: upgrade")
    if recovers or read_only:
        return Step(
            "server",
            "warning",
            f"{detail}, read-only",
            "for writes, connect to the primary: target_session_attrs=read-write",
        )
    if encoding != "UTF8":
        return Step(
            "server",
            "warning",
            detail,
            "text outside of this encoding is refused: create databases with ENCODING 'UTF8'",
        )
    return Step("server", "ok", detail)


async def _pooler(database: Database) -> Step:
    """A pool of transactions lends the session of one client, while it is idle, to another."""
    pids: list[int] = []
    leases = [database.lease(), database.lease()]
    try:
        for lease in leases:
            await lease.take()
            row = await lease.run(("text", _PID), (), _VALUE)
            pids.append(row)
    except DataBridgeError:
        return Step(
            "pooler", "warning", "a second connection is refused", "raise the limit of connections: pools need several"
        )
    finally:
        for lease in leases:
            await lease.give_back()
    if len(set(pids)) == 1:
        return Step(
            "pooler",
            "warning",
            "a pool of transactions stands before the server",
            "set statement_cache_size=0, and connect directly for LISTEN and migrations",
        )
    return Step("pooler", "ok", "each connection has a session of its own")
