"""Connection strings in both forms of libpq: URIs and keyword/value pairs (PostgreSQL manual, "Connection Strings")."""

from __future__ import annotations

import re
from typing import NoReturn
from urllib.parse import unquote

from data_bridge.core.errors import ConfigurationError

__all__ = ["is_uri", "read"]

_URI = re.compile(r"postgres(?:ql)?://")
_PAIR = re.compile(
    r"\s*(?P<name>[A-Za-z_]+)\s*=\s*(?:'(?P<quoted>(?:[^'\\]|\\.)*)'|(?P<bare>(?:[^\s\\']|\\.)*))(?=\s|$)", re.DOTALL
)


def is_uri(text: str) -> bool:
    """Whether a text is a URI of PostgreSQL.

    >>> is_uri("postgresql://h/d"), is_uri("host=h")
    (True, False)
    """
    return _URI.match(text) is not None


def read(text: str) -> dict[str, str]:
    """The parameters of a connection string by their names in libpq; several hosts and ports are joined by commas.

    Raises:
        ConfigurationError: for a text that cannot be read; nothing of it is in the message, because it may hold a password.

    >>> read("postgresql://ann:s%40fe@a,b:2/shop?sslmode=require")
    {'user': 'ann', 'password': 's@fe', 'host': 'a,b', 'port': ',2', 'dbname': 'shop', 'sslmode': 'require'}
    >>> read(r"host=h dbname='my shop' password=it\\'s")
    {'host': 'h', 'dbname': 'my shop', 'password': "it's"}
    """
    if "\0" in text:
        raise ConfigurationError("the connection string contains NUL")
    return _uri(text) if is_uri(text) else _pairs(text)


def _refuse(why: str) -> NoReturn:
    raise ConfigurationError(
        f"the connection string cannot be read: {why}\nhint: it has the form postgresql://user:password@host:port/database?name=value "
        "or `host=… dbname=…`; in a URI, : / ? # [ ] @ and % in names and passwords are percent-encoded (urllib.parse.quote)"
    )


def _uri(text: str) -> dict[str, str]:
    rest = _URI.sub("", text, count=1)
    if "#" in rest:
        _refuse("a URI has no part behind #")
    rest, _, query = rest.partition("?")
    places, slash, name = rest.partition("/")
    if "@" in name or "@" in query.partition("=")[0]:
        _refuse("there is an @ behind the first / or ?")
    parameters: dict[str, str] = {}
    for pair in query.split("&") if query else ():
        key, equals, value = pair.partition("=")
        if not equals or not key:
            _refuse("a parameter behind ? has the form name=value")
        if key in parameters:
            _refuse(f"the parameter {unquote(key)!r} stands there twice")
        parameters[_decoded(key)] = _decoded(value)
    found: dict[str, str] = {}
    credentials, at, places = places.rpartition("@")
    if at:
        user, colon, password = credentials.partition(":")
        if user:
            found["user"] = _decoded(user)
        if colon:
            found["password"] = _decoded(password)
    hosts = [_place(place) for place in places.split(",")] if places else []
    if hosts:
        found["host"] = ",".join(host for host, _ in hosts)
        if any(port for _, port in hosts):
            found["port"] = ",".join(port for _, port in hosts)
    if slash and name:
        found["dbname"] = _decoded(name)
    return found | parameters


def _place(place: str) -> tuple[str, str]:
    if place.startswith("["):
        host, bracket, rest = place[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            _refuse("an IPv6 address stands in brackets")
        return host, rest[1:]
    host, _, port = place.partition(":")
    if port and not port.isdigit():
        _refuse("a port is a number; or a / or : in the password is not percent-encoded")
    return _decoded(host), port


def _decoded(text: str) -> str:
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        _refuse("a % is not followed by two hexadecimal digits")
    decoded = unquote(text)
    if "\0" in decoded:
        _refuse("%00 is not allowed")
    return decoded


def _pairs(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    at, text = 0, text.rstrip()
    while at < len(text):
        pair = _PAIR.match(text, at)
        if pair is None:
            _refuse("a parameter has the form name=value or name='value'")
        value = pair["quoted"] if pair["quoted"] is not None else pair["bare"]
        found[pair["name"]] = re.sub(r"\\(.)", r"\1", value, flags=re.DOTALL)
        at = pair.end()
    return found
