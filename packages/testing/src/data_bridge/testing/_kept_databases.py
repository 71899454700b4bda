"""`--db-keep`: the databases of failed tests, from the worker that ran one to the summary of the run."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from typing import Any

import pytest

from data_bridge.testing._options import read_options
from data_bridge.testing.databases.run_server import open_embedded

__all__ = ["ROLLED_BACK", "KeptDatabases", "keep", "note", "release", "show"]

OF_TEST = pytest.StashKey[list[str]]()
OF_RUN = pytest.StashKey[list[tuple[str, str]]]()
ATTRIBUTE = "data_bridge_kept"
ROLLED_BACK = "(rolled back: add --db-mode=isolated to keep it)"


def keep(item: pytest.Item, url: str) -> None:
    """Remember the database of a failed test; called while its fixtures are torn down."""
    item.stash.setdefault(OF_TEST, []).append(url)


def note(item: pytest.Item, report: pytest.TestReport) -> None:
    """Give what was kept to the report of the teardown, which also leaves a worker of pytest-xdist."""
    if report.when == "teardown" and (urls := item.stash.get(OF_TEST, list[str]())):
        setattr(report, ATTRIBUTE, list(urls))


class KeptDatabases:
    """Hears of the reports of a run, which pytest passes to a hook without its configuration."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take from a report what was kept."""
        urls: list[str] = getattr(report, ATTRIBUTE, [])
        self._config.stash.setdefault(OF_RUN, []).extend((report.nodeid, url) for url in urls)


def show(config: pytest.Config, reporter: Any) -> None:
    """Say where the databases are, and how to be rid of them."""
    kept = config.stash.get(OF_RUN, list[tuple[str, str]]())
    if not kept:
        return
    reporter.section("data-bridge: kept databases")
    for test, url in kept:
        reporter.line(f"{test}: {url}")
    if any(url != ROLLED_BACK for _, url in kept):
        folder = read_options(config).keep_folder
        reporter.line(
            "DROP DATABASE … when you are done"
            if folder is None
            else f"when you are done: data-bridge server stop --data {os.path.relpath(folder)}, and delete that folder"
        )


def release(config: pytest.Config, give_up: Callable[[pytest.Config], None]) -> None:
    """At the end of the run: let the server run on if it has kept anything, else leave nothing."""
    folder = read_options(config).keep_folder
    server = open_embedded(config)
    if folder is None or server is None:
        give_up(config)
        return
    kept = any(url != ROLLED_BACK for _, url in config.stash.get(OF_RUN, list[tuple[str, str]]()))
    with server.admin() as session:
        others = session.run("SELECT 1 FROM pg_database WHERE datname LIKE 'data\\_bridge\\_test\\_%' LIMIT 1")
    if kept or others:
        server.hold()
    give_up(config)
    if not kept and not others:
        shutil.rmtree(folder, ignore_errors=True)
