"""Which connection parameters of libpq 18 are honoured, and what becomes of the others.

A parameter that cannot be honoured and whose absence would weaken or change the connection is refused with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches

from data_bridge.core.errors import ConfigurationError

__all__ = ["ENVIRONMENT", "checked"]

# Parameter by the variable that sets it (PostgreSQL manual, "Environment Variables" of libpq).
ENVIRONMENT: Mapping[str, str] = {
    "PGHOST": "host",
    "PGHOSTADDR": "hostaddr",
    "PGPORT": "port",
    "PGDATABASE": "dbname",
    "PGUSER": "user",
    "PGPASSWORD": "password",
    "PGPASSFILE": "passfile",
    "PGREQUIREAUTH": "require_auth",
    "PGCHANNELBINDING": "channel_binding",
    "PGSERVICE": "service",
    "PGSERVICEFILE": "servicefile",
    "PGOPTIONS": "options",
    "PGAPPNAME": "application_name",
    "PGSSLMODE": "sslmode",
    "PGREQUIRESSL": "requiressl",
    "PGSSLNEGOTIATION": "sslnegotiation",
    "PGSSLCERT": "sslcert",
    "PGSSLKEY": "sslkey",
    "PGSSLROOTCERT": "sslrootcert",
    "PGGSSENCMODE": "gssencmode",
    "PGCONNECT_TIMEOUT": "connect_timeout",
    "PGCLIENTENCODING": "client_encoding",
    "PGTARGETSESSIONATTRS": "target_session_attrs",
    "PGLOADBALANCEHOSTS": "load_balance_hosts",
    "PGSSLMINPROTOCOLVERSION": "ssl_min_protocol_version",
    "PGSSLMAXPROTOCOLVERSION": "ssl_max_protocol_version",
}

_HONOURED = frozenset(
    {
        "host",
        "hostaddr",
        "port",
        "dbname",
        "user",
        "password",
        "passfile",
        "connect_timeout",
        "options",
        "application_name",
        "fallback_application_name",
        "sslmode",
        "sslcert",
        "sslkey",
        "sslrootcert",
        "target_session_attrs",
        "load_balance_hosts",
        "service",
        "servicefile",
        "channel_binding",
    }
)
# What these ask for is so anyway, or is nothing that a client of this kind has.
_WITHOUT_EFFECT = frozenset(
    {
        "keepalives",
        "keepalives_idle",
        "keepalives_interval",
        "keepalives_count",
        "tcp_user_timeout",
        "sslcompression",
        "sslsni",
        "krbsrvname",
        "gsslib",
        "gssdelegation",
        "sslkeylogfile",
        "oauth_issuer",
        "oauth_client_id",
        "oauth_client_secret",
        "oauth_scope",
    }
)


def _one_of(*words: str) -> Callable[[str], bool]:
    return lambda value: value.lower() in words


_ACCEPTED: Mapping[str, tuple[Callable[[str], bool], str]] = {
    "client_encoding": (_one_of("utf8", "utf-8", "unicode", "auto"), "text is always exchanged as UTF-8"),
    "gssencmode": (_one_of("disable", "prefer"), "GSSAPI encryption is not available; use sslmode"),
    "sslnegotiation": (_one_of("postgres"), "direct TLS negotiation is not available"),
    "requiressl": (_one_of("0", "1"), "it is 0 or 1"),
    "require_auth": (lambda value: not value, "the server chooses the authentication method"),
    "replication": (_one_of("false", "off", "no", "0"), "replication connections are not available"),
    "sslpassword": (lambda value: not value, "encrypted client keys are not available: decrypt the key file"),
    "sslcertmode": (_one_of("allow", "disable"), "whether the server asks for a certificate cannot be enforced"),
    "sslcrl": (lambda value: not value, "revocation lists are not available"),
    "sslcrldir": (lambda value: not value, "revocation lists are not available"),
    "requirepeer": (lambda value: not value, "the owner of the server's process cannot be checked"),
    "ssl_min_protocol_version": (_one_of("tlsv1", "tlsv1.1", "tlsv1.2"), "TLS 1.2 and 1.3 are both allowed"),
    "ssl_max_protocol_version": (_one_of("", "tlsv1.3"), "TLS 1.2 and 1.3 are both allowed"),
    "min_protocol_version": (_one_of("3.0"), "protocol 3.0 is used"),
    "max_protocol_version": (_one_of("3.0", "3.2", "latest"), "protocol 3.0 is used"),
    "scram_client_key": (lambda value: not value, "give the password instead"),
    "scram_server_key": (lambda value: not value, "give the password instead"),
}


def checked(given: Mapping[str, str], origin: str) -> dict[str, str]:
    """The parameters that are honoured.

    Args:
        given: parameters by their names in libpq.
        origin: where they come from, for messages; values are never shown.

    Raises:
        ConfigurationError: for an unknown parameter, with a near match, and for one that cannot be honoured.

    >>> checked({"sslmode": "require", "keepalives": "1"}, "the connection string")
    {'sslmode': 'require'}
    """
    honoured: dict[str, str] = {}
    for name, value in given.items():
        if name in _HONOURED:
            honoured[name] = value
        elif name in _WITHOUT_EFFECT:
            continue
        elif name in _ACCEPTED:
            fits, why = _ACCEPTED[name]
            if not fits(value):
                raise ConfigurationError(f"{origin}: this value of {name} cannot be honoured: {why}")
            if name == "requiressl" and value == "1":
                honoured.setdefault("sslmode", "require")
        else:
            near = get_close_matches(name, [*_HONOURED, *_ACCEPTED], n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ConfigurationError(f"{origin} has the unknown parameter {name!r}{hint}")
    return honoured
