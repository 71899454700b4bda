"""Where and how to connect: arguments, connection strings, services and the environment together."""

from __future__ import annotations

import getpass
import os
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from data_bridge.core.errors import ConfigurationError
from data_bridge.core.settings import conninfo
from data_bridge.core.settings.parameters import ENVIRONMENT, checked
from data_bridge.core.settings.password_file import password_for, service

__all__ = ["Address", "parse"]


@dataclass(slots=True)
class Address:
    """Where to connect. `repr` hides passwords.

    Attributes:
        hosts: host names, addresses or folders of unix sockets, each with its port.
        user: role.
        passwords: one for each host; those of the password file differ.
        database: name; None is that of the role.
        settings: honoured parameters of libpq that are not in the other fields, such as sslmode.
        session: configuration parameters for every session, from `options`.
        release: releases what the address needs, such as an embedded server.
    """

    hosts: list[tuple[str, int]]
    user: str
    passwords: list[str | None] = field(default_factory=list[str | None], repr=False)
    database: str | None = None
    settings: dict[str, str] = field(default_factory=dict[str, str])
    session: dict[str, str] = field(default_factory=dict[str, str])
    release: Callable[[], None] | None = field(default=None, repr=False)

    @property
    def password(self) -> str | None:
        """The password of the first host."""
        return self.passwords[0] if self.passwords else None


def parse(
    dsn: str | None = None,
    *,
    host: str | None = None,
    port: int | str | None = None,
    database: str | None = None,
    username: str | None = None,
    password: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> Address:
    """The address that arguments, a connection string, its service and PG* variables give, in this order of precedence.

    Raises:
        ConfigurationError: for what cannot be read or honoured; no password is in the message.

    >>> parse("postgresql://ann:secret@db1:5433,db2/shop?sslmode=require").hosts
    [('db1', 5433), ('db2', 5432)]
    >>> parse("host=db1 dbname=shop user=ann").database
    'shop'
    """
    env = os.environ if environment is None else environment
    release: Callable[[], None] | None = None
    if dsn is not None and not conninfo.is_uri(dsn) and _has_scheme(dsn):
        dsn, release = _foreign(dsn)
    given = checked(conninfo.read(dsn), "the connection string") if dsn is not None else {}
    outside = checked({name: env[v] for v, name in ENVIRONMENT.items() if env.get(v)}, "the environment")
    wanted = given.get("service") or outside.get("service")
    if wanted:
        file = given.get("servicefile") or outside.get("servicefile")
        known = checked(service(wanted, file, env), f"the service {wanted!r}")
        # A place that is named at all replaces the service's as a whole.
        given = {**known, **given}
    if "host" in given:
        outside.pop("hostaddr", None)
    found = {**outside, **given}
    if host is not None:
        found["host"] = host
        found.pop("hostaddr", None)
    hosts = _hosts(found, str(port) if port is not None else None, env)
    user = username or found.get("user") or _login()
    name = database or found.get("dbname")
    secret = password if password is not None else found.get("password")
    passwords = [
        secret if secret is not None else password_for(h, p, name or user, user, found.get("passfile"), env)
        for h, p in hosts
    ]
    if found.get("load_balance_hosts", "disable") not in ("disable", "random"):
        raise ConfigurationError("load_balance_hosts is disable or random")
    if found.get("load_balance_hosts") == "random":
        order = random.sample(range(len(hosts)), len(hosts))
        hosts, passwords = [hosts[i] for i in order], [passwords[i] for i in order]
    rest = (
        "sslmode sslcert sslkey sslrootcert target_session_attrs connect_timeout application_name "
        "fallback_application_name channel_binding"
    )
    settings = {name: found[name] for name in rest.split() if name in found}
    return Address(hosts, user, passwords, name, settings, _options(found.get("options", "")), release)


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        raise ConfigurationError(
            "there is no user name: neither the connection string nor $PGUSER has one, and this process has no login "
            "name\nhint: give username="
        ) from None


def _port(text: str) -> int:
    # The text may be a part of a password that was not encoded.
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise ConfigurationError("a port is a number from 1 to 65535")
    return int(text)


def _hosts(found: Mapping[str, str], port: str | None, environment: Mapping[str, str]) -> list[tuple[str, int]]:
    names = found.get("host", "").split(",")
    addresses = found.get("hostaddr", "")
    if addresses:
        if found.get("sslmode") == "verify-full":
            raise ConfigurationError(
                "hostaddr with sslmode=verify-full: the certificate would be checked for the address"
            )
        names = addresses.split(",")
    ports = (port if port is not None else found.get("port", "")).split(",")
    if len(ports) not in (1, len(names)):
        raise ConfigurationError(
            f"there are {len(names)} hosts and {len(ports)} ports: give one port, or one for each host"
        )
    default = _port(environment.get("PGPORT", "").split(",")[0] or "5432")
    each = ports * len(names) if len(ports) == 1 else ports
    pairs = [(name, _port(given) if given else default) for name, given in zip(names, each, strict=True)]
    return [(name or _default_host(number), number) for name, number in pairs]


def _default_host(port: int) -> str:
    for folder in ("/var/run/postgresql", "/run/postgresql", "/tmp"):
        if os.path.exists(f"{folder}/.s.PGSQL.{port}"):
            return folder
    return "localhost"


def _options(text: str) -> dict[str, str]:
    """`-c name=value`, `-cname=value` and `--name=value`, as the server reads PGOPTIONS: a backslash keeps a space.

    A word without a dash, as hosted providers ask for (`endpoint=…`), is passed on in the same way.
    """
    words = [re.sub(r"\\(.)", r"\1", word) for word in re.findall(r"(?:[^\s\\]|\\.)+", text, re.DOTALL)]
    found: dict[str, str] = {}
    at = 0
    while at < len(words):
        word = words[at]
        if word == "-c":
            at += 1
            word = words[at] if at < len(words) else ""
        elif word.startswith(("--", "-c")):
            word = word[2:]
        name, equals, value = word.partition("=")
        if not equals or not name or name.startswith("-"):
            raise ConfigurationError("options: only -c name=value and --name=value are honoured")
        found[name.replace("-", "_")] = value
        at += 1
    return found


def _has_scheme(dsn: str) -> bool:
    return re.match(r"[a-z][a-z0-9+.-]*:", dsn) is not None


def _foreign(dsn: str) -> tuple[str, Any]:
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
    raise ConfigurationError(f"a connection string starts with postgresql://, not with {scheme}:")
