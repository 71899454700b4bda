"""Why a server refuses a connection: the step that fails, and what to do."""

from __future__ import annotations

from data_bridge.core.doctor.step import Failed, Step
from data_bridge.core.errors import ConnectError
from data_bridge.core.settings.dsn import Address

__all__ = ["passed_before", "refusal"]

_ORDER = ("pg_hba", "authentication", "role", "database")
"""The order in which the server decides."""
_PASSED = {
    "pg_hba": "pg_hba.conf admits this address, role and database",
    "authentication": "the server accepts the credentials",
    "role": "the role may log in",
    "database": "the database exists and may be used",
}


def passed_before(name: str | None) -> list[Step]:
    """The steps that the server has passed before it refused at `name`; all of them for None."""
    if name is not None and name not in _ORDER:
        return []
    passed = _ORDER if name is None else _ORDER[: _ORDER.index(name)]
    return [Step(step, "ok", _PASSED[step]) for step in passed]


def refusal(error: ConnectError, address: Address) -> Failed:
    """The step at which a connection failed. Messages of the server tell apart what one SQLSTATE stands for."""
    text, state = str(error), error.sqlstate
    role, database = address.user, address.database or address.user
    if state == "28P01" or (state is None and error.step in ("authentication", "password")):
        if error.step == "password":
            return Failed("authentication", "the function of password= failed", "read its traceback in the log")
        if address.password is None:
            return Failed(
                "authentication",
                f"the server asks for a password of {role}, and there is none",
                "give one, or add a line to the password file",
            )
        return Failed(
            "authentication",
            f"the password of {role} is wrong, or the role does not exist",
            "ALTER ROLE … PASSWORD, or correct the password",
        )
    if state == "28000":
        if "pg_hba.conf" in text:
            return Failed(
                "pg_hba",
                f"pg_hba.conf does not admit {role} to {database} from this address",
                "add a line to pg_hba.conf and reload the server; a line of hostssl needs sslmode=require",
            )
        return Failed(
            "role",
            f"the role {role} does not exist or may not log in",
            f'CREATE ROLE "{role}" LOGIN, or ALTER ROLE "{role}" LOGIN',
        )
    if state == "3D000":
        return Failed(
            "database", f"there is no database {database}", f'CREATE DATABASE "{database}", or correct the name'
        )
    if state in ("42501", "55000"):
        return Failed(
            "database",
            f"{role} may not connect to {database}",
            f'GRANT CONNECT ON DATABASE "{database}" TO "{role}", or ALLOW_CONNECTIONS',
        )
    if state == "53300":
        return Failed(
            "connections",
            "the limit of connections of the server, the role or the database is reached",
            "close connections, lower max_connections of the pools, or raise the limit",
        )
    if state == "57P03":
        return Failed("server", "the server starts, stops or recovers", "wait, and look at its log")
    if error.step == "target_session_attrs":
        return Failed(
            "session", "no host has the state that target_session_attrs asks for", "check which server is the primary"
        )
    if error.step == "TLS":
        return Failed("tls", "the encrypted connection fails", "check sslmode, sslrootcert, sslcert and sslkey")
    return Failed(
        "server",
        f"the connection fails at the step {error.step}" + (f" with SQLSTATE {state}" if state else ""),
        "look at the log of the server",
    )
