"""Options of the plugin: command line first, then the ini file, then the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import pytest

__all__ = ["Options", "add_options", "read_options"]

URL_VARIABLE = "DATA_BRIDGE_TEST_URL"
APPLICATION_VARIABLE = "DATABASE_URL"
KEPT = Path(".data-bridge", "tests")
LOOPBACK = {"localhost", "127.0.0.1", "::1", "", None}

TEXTS = {
    "db_url": f"URL of a PostgreSQL server; databases of our own are made there (default: ${URL_VARIABLE})",
    "db_provider": "where the embedded server comes from: a wheel, `local`, or a folder with postgres and initdb",
    "db_version": "major version of the embedded server, for example 15",
    "db_real_alias": "aliases, separated by commas, under which init() of the code under test opens real databases",
    "db_mode": "`isolated`: tests with `db` get a database of their own instead of a rollback (default: rollback)",
}


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for."""

    url: str | None = None
    url_origin: str = ""
    provider: str | None = None
    version: int | None = None
    keep: bool = False
    keep_folder: Path | None = None
    """Where the embedded server keeps its data, so that it can run on with the databases of failed tests."""
    mode: Literal["rollback", "isolated"] = "rollback"
    real_aliases: tuple[str, ...] = ()


def add_options(parser: pytest.Parser) -> None:
    """Register command-line options and ini names."""
    group = parser.getgroup("data-bridge", "PostgreSQL for tests (data-bridge-testing)")
    for name, text in TEXTS.items():
        choices = ["rollback", "isolated"] if name == "db_mode" else None
        group.addoption("--" + name.replace("_", "-"), dest=name, default=None, help=text, choices=choices)
        parser.addini(name, text, default=None)
    keep = "keep the databases of failed tests with `committed` and `isolated_db`, and print their URLs"
    group.addoption("--db-keep", dest="db_keep", action="store_true", default=None, help=keep)
    parser.addini("db_keep", keep, type="bool", default=False)


OPTIONS = pytest.StashKey["Options"]()


def read_options(config: pytest.Config) -> Options:
    """Options of this run, read once."""
    if OPTIONS not in config.stash:
        config.stash[OPTIONS] = _read(config)
    return config.stash[OPTIONS]


def _read(config: pytest.Config) -> Options:
    """Look in every place.

    $DATABASE_URL usually names a development or production database, so it counts only when its host is this machine or
    when $CI is `true`; databases of our own are made beside the named one, which is never written to.
    """

    def option(name: str) -> str | None:
        given = config.getoption(name)
        return given if given is not None else (config.getini(name) or None)

    url, origin = option("db_url"), "--db-url"
    if url is None:
        url, origin = os.environ.get(URL_VARIABLE) or None, f"${URL_VARIABLE}"
    provider, version = option("db_provider"), option("db_version")
    if url is None and provider is None and version is None and (application := os.environ.get(APPLICATION_VARIABLE)):
        local = application.startswith("postgres") and urlsplit(application).hostname in LOOPBACK
        if local or (os.environ.get("CI") == "true" and application.startswith("postgres")):
            url, origin = application, f"${APPLICATION_VARIABLE}"
    if version is not None and not version.isdecimal():
        raise pytest.UsageError(f"--db-version takes a major version such as 16, not {version!r}")
    keep = bool(config.getoption("db_keep") or config.getini("db_keep"))
    return Options(
        url=url,
        url_origin=origin if url else "",
        provider=provider,
        version=int(version) if version else None,
        keep=keep,
        keep_folder=config.rootpath / KEPT if keep and not url else None,
        mode="isolated" if option("db_mode") == "isolated" else "rollback",
        real_aliases=tuple(alias.strip() for alias in (option("db_real_alias") or "").split(",") if alias.strip()),
    )
