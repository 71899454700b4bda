"""Reading connection strings and the environment, as libpq does (PostgreSQL manual, "Connection Strings")."""

from __future__ import annotations

import getpass
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from data_bridge.core.errors import ConfigurationError

_SCHEMES = ("postgresql", "postgres")
_FILES = {"sslrootcert": "ssl_root_cert", "sslcert": "ssl_cert", "sslkey": "ssl_key"}


@dataclass(slots=True)
class Address:
    """Where to connect, and the settings that a DSN carries. `repr` hides the password."""

    hosts: list[tuple[str, int]]
    user: str
    password: str | None = field(default=None, repr=False)
    database: str | None = None
    settings: dict[str, str] = field(default_factory=dict[str, str])
    release: Callable[[], None] | None = field(default=None, repr=False)


def _port(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise ConfigurationError(f"{text!r} is not a port")
    return int(text)


def _host_and_port(part: str, default: int) -> tuple[str, int]:
    if part.startswith("["):
        host, _, rest = part[1:].partition("]")
        return host, _port(rest[1:]) if rest.startswith(":") else default
    host, colon, port = part.rpartition(":")
    if not colon:
        return part, default
    return host, _port(port) if port else default


def _default_host(environment: Mapping[str, str]) -> str:
    given = environment.get("PGHOST")
    if given:
        return given
    for folder in ("/var/run/postgresql", "/run/postgresql", "/tmp"):
        if os.path.exists(f"{folder}/.s.PGSQL.{environment.get('PGPORT', '5432')}"):
            return folder
    return "localhost"


def _pass_file(hosts: list[tuple[str, int]], database: str, user: str, environment: Mapping[str, str]) -> str | None:
    path = Path(environment.get("PGPASSFILE") or Path.home() / ".pgpass")
    try:
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            return None  # as libpq: a file that others may read is ignored
        lines = path.read_text().splitlines()
    except OSError:
        return None
    host, port = hosts[0]
    wanted = ("localhost" if host.startswith("/") else host, str(port), database, user)
    for line in lines:
        if line.startswith("#"):
            continue
        fields: list[str] = []
        current, escaped = "", False
        for c in line:
            if escaped:
                current, escaped = current + c, False
            elif c == "\\":
                escaped = True
            elif c == ":" and len(fields) < 4:
                fields.append(current)
                current = ""
            else:
                current += c
        if len(fields) == 4 and all(f in ("*", w) for f, w in zip(fields, wanted, strict=True)):
            return current
    return None


def _foreign(dsn: str) -> tuple[str, Callable[[], None] | None]:
    """Schemes that other packages bring, such as `embedded:` of data-bridge-testing."""
    from importlib.metadata import entry_points  # costs 15 ms, and few have such a scheme

    scheme = dsn.partition(":")[0]
    for found in entry_points(group="data_bridge.dsn", name=scheme):
        real, release = found.load()(dsn)
        return real, release
    if scheme == "embedded":
        raise ConfigurationError(
            "the scheme 'embedded:' comes with data-bridge-testing: pip install data-bridge-testing"
        )
    raise ConfigurationError(f"a DSN starts with postgresql://, not with {scheme}:")


def parse(
    dsn: str | None = None,
    *,
    host: str | None = None,
    port: int | None = None,
    database: str | None = None,
    username: str | None = None,
    password: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> Address:
    """The address that a DSN, keyword arguments and PG* variables give; arguments win over the DSN, the DSN over variables.

    Raises:
        ConfigurationError: for a DSN that cannot be read; its password is not in the message.

    >>> parse("postgresql://ann:secret@db1:5433,db2/shop?sslmode=require").hosts
    [('db1', 5433), ('db2', 5432)]
    """
    env = os.environ if environment is None else environment
    release = None
    if dsn is not None and not dsn.startswith(tuple(f"{s}://" for s in _SCHEMES)):
        dsn, release = _foreign(dsn)
    settings: dict[str, str] = {}
    default_port = port or _port(env.get("PGPORT", "5432"))
    hosts: list[tuple[str, int]] = []
    user, secret, name = env.get("PGUSER"), env.get("PGPASSWORD"), env.get("PGDATABASE")
    if dsn is not None:
        try:
            parts = urlsplit(dsn)
            # Not parts.hostname: several hosts are legal here, and names keep their case.
            credentials, at, places = parts.netloc.rpartition("@")
            settings = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
        except ValueError:
            raise ConfigurationError(
                "the DSN is not a URL of the form postgresql://user:password@host:port/database?name=value"
            ) from None
        if at:
            given_user, colon, given_password = credentials.partition(":")
            user = unquote(given_user) or user
            secret = unquote(given_password) if colon else secret
        hosts = [(unquote(h), p) for h, p in (_host_and_port(part, default_port) for part in places.split(",") if part)]
        name = unquote(parts.path.lstrip("/")) or name
    if "host" in settings:
        ports = settings.pop("port", "").split(",")
        given = settings.pop("host").split(",")
        hosts = [(h, _port(ports[min(i, len(ports) - 1)]) if ports[0] else default_port) for i, h in enumerate(given)]
    elif "port" in settings:
        hosts = [(h, _port(settings["port"])) for h, _ in hosts]
        default_port = _port(settings.pop("port"))
    user = username or settings.pop("user", None) or user or getpass.getuser()
    name = database or settings.pop("dbname", None) or name
    if host is not None:
        hosts = [(host, default_port)]
    elif not hosts:
        hosts = [(_default_host(env), default_port)]
    if port is not None:
        hosts = [(h, port) for h, _ in hosts]
    secret = password if password is not None else settings.pop("password", None) or secret
    if secret is None:
        secret = _pass_file(hosts, name or user, user, env)
    for word, own in _FILES.items():
        if word in settings:
            settings[own] = settings.pop(word)
    return Address(hosts, user, secret, name, settings, release)
