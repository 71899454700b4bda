"""What every session of a database has: encryption, configuration parameters, times."""

from __future__ import annotations

import math
import os
import ssl as tls
from collections.abc import Mapping
from typing import Any

from data_bridge.core._native import quote_literal
from data_bridge.core.errors import ConfigurationError
from data_bridge.core.settings.dsn import Address

__all__ = ["CONNECT_TIMEOUT", "check_timeout", "connect_timeout_of", "security_of", "session_settings"]

CONNECT_TIMEOUT = 10.0
"""Seconds. This very object means that nothing was given, so that the connection string counts."""

# sqlx sends these itself when it connects, and what it sends wins over `options`: they are set again afterwards.
_SENT_ANYWAY = frozenset({"timezone", "datestyle"})


def check_timeout(name: str, value: float | None) -> None:
    """Refuses what is not a number of seconds; 0 is: such a time is over at once.

    Raises:
        ConfigurationError: naming the option.
    """
    if value is not None and not (value >= 0 and math.isfinite(value)):
        raise ConfigurationError(f"{name}={value} is not a number of seconds")


def connect_timeout_of(address: Address, given: float) -> float:
    """Seconds for making a connection: the argument, else `connect_timeout` of the connection string, where 0 means no limit.

    Raises:
        ConfigurationError: the connection string has something else than a number.
    """
    text = address.settings.get("connect_timeout")
    if given is not CONNECT_TIMEOUT or text is None:
        return given
    if not text.strip().lstrip("-").isdigit():
        raise ConfigurationError("connect_timeout of the connection string is a whole number of seconds")
    return float(text) if int(text) > 0 else 1e9


def security_of(
    address: Address, ssl: str | bool | None, root: str | None, certificate: str | None, key: str | None
) -> dict[str, Any]:
    """Encryption as the pool takes it: arguments win over the connection string.

    Raises:
        ConfigurationError: for what cannot be honoured, and for a file that is not there.
    """
    known = address.settings
    if isinstance(ssl, tls.SSLContext):
        raise ConfigurationError(
            "ssl= takes a mode: TLS is done in Rust by rustls, which cannot use an SSLContext of OpenSSL\nhint: give the files by "
            "ssl_root_cert=, ssl_cert= and ssl_key="
        )
    mode = {True: "require", False: "disable"}.get(ssl, ssl) if isinstance(ssl, bool) else ssl
    root = root or known.get("sslrootcert")
    mode = mode or known.get("sslmode") or ("verify-full" if root == "system" else "prefer")
    if known.get("channel_binding", "prefer") == "require" and mode != "disable":
        # The binding proves that the server ends the TLS session itself; a checked certificate proves who it is.
        mode = "verify-full"
    if root == "system":
        if mode != "verify-full":
            raise ConfigurationError("sslrootcert=system needs ssl='verify-full'")
        root = None
    files = {
        "ssl_root_cert": root,
        "ssl_cert": certificate or known.get("sslcert"),
        "ssl_key": key or known.get("sslkey"),
    }
    for name, path in files.items():
        if path is not None and not os.path.isfile(path):
            raise ConfigurationError(f"{name}: there is no file {path!r}")
    return {"ssl": str(mode), **files}


def session_settings(given: Mapping[str, str], is_pooled: bool) -> tuple[dict[str, str], str]:
    """Configuration parameters for the start of a session, and SQL for those that must be set afterwards.

    Raises:
        ConfigurationError: for parameters on which the library relies.
    """
    settings, setup = dict[str, str](), ""
    for name, value in given.items():
        lower = name.lower()
        if lower == "client_encoding" and value.lower() not in ("utf8", "utf-8", "unicode"):
            raise ConfigurationError("client_encoding is UTF8: text is exchanged in no other encoding")
        if lower == "standard_conforming_strings" and value.lower() not in ("on", "true", "1", "yes"):
            raise ConfigurationError("standard_conforming_strings is on: SQL text is read accordingly")
        if lower in _SENT_ANYWAY:
            if is_pooled:
                raise ConfigurationError(
                    f"{name} cannot be set for sessions behind a pool of transactions\nhint: ALTER ROLE … SET {name}, or the pooler's "
                    "own configuration"
                )
            setup += f"SELECT FROM pg_catalog.set_config({quote_literal(name)}, {quote_literal(value)}, false);"
        elif lower != "client_encoding":
            settings["application_name" if lower == "application_name" else name] = value
    return settings, setup
