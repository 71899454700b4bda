"""The server of the run, and how it reaches the workers of pytest-xdist."""

from __future__ import annotations

from typing import Any

import pytest

from data_bridge.testing._options import read_options
from data_bridge.testing.databases.source import Source, attach, open_source

__all__ = ["give_up", "hand_to_worker", "source_of"]

SOURCE = pytest.StashKey[Source]()
WORKER_INPUT = "data_bridge_source"


def source_of(config: pytest.Config) -> Source:
    """The server of this run; started when it is first needed."""
    if SOURCE not in config.stash:
        handed: dict[str, Any] | None = getattr(config, "workerinput", {}).get(WORKER_INPUT)
        config.stash[SOURCE] = attach(handed) if handed else open_source(read_options(config))
    return config.stash[SOURCE]


def hand_to_worker(node: Any) -> None:
    """The controlling process keeps one server for all workers and tells them where it is."""
    config: pytest.Config = node.config
    if SOURCE not in config.stash:
        workers = len(config.getoption("tx") or [None])
        config.stash[SOURCE] = open_source(read_options(config), workers=workers)
    node.workerinput[WORKER_INPUT] = config.stash[SOURCE].facts()


def give_up(config: pytest.Config) -> None:
    """End what this process started."""
    source = config.stash.get(SOURCE, None)
    if source is not None:
        del config.stash[SOURCE]
        source.close()
