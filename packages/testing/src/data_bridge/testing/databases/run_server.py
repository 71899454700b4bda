"""The server of the run, and how it reaches the workers of pytest-xdist."""

from __future__ import annotations

from typing import Any

import pytest

from data_bridge.testing._options import read_options
from data_bridge.testing.databases.desk import ServerDesk
from data_bridge.testing.databases.source import EmbeddedSource, Source, attach, open_source
from data_bridge.testing.server import EmbeddedServer

__all__ = ["give_up", "hand_to_worker", "open_embedded", "source_of"]

SOURCE = pytest.StashKey[Source]()
DESK = pytest.StashKey[ServerDesk]()
WORKER_INPUT = "data_bridge_source"


def source_of(config: pytest.Config) -> Source:
    """The server of this run; started when it is first needed."""
    if SOURCE not in config.stash:
        desk: dict[str, str] | None = getattr(config, "workerinput", {}).get(WORKER_INPUT)
        config.stash[SOURCE] = attach(ServerDesk.ask(desk)) if desk else open_source(read_options(config))
    return config.stash[SOURCE]


def hand_to_worker(node: Any) -> None:
    """The controlling process keeps one server for all workers, and starts it when one of them first asks for it."""
    config: pytest.Config = node.config
    if DESK not in config.stash:
        workers = len(config.getoption("tx") or [None])

        def open_for_all() -> dict[str, Any]:
            config.stash[SOURCE] = open_source(read_options(config), workers=workers)
            return config.stash[SOURCE].facts()

        config.stash[DESK] = ServerDesk(open_for_all)
    node.workerinput[WORKER_INPUT] = config.stash[DESK].address


def open_embedded(config: pytest.Config) -> EmbeddedServer | None:
    """The embedded server that this process has started; None when it was not needed, or when it is another one's."""
    source = config.stash.get(SOURCE, None)
    return source.server if isinstance(source, EmbeddedSource) and not hasattr(config, "workerinput") else None


def give_up(config: pytest.Config) -> None:
    """End what this process started."""
    desk = config.stash.get(DESK, None)
    if desk is not None:
        del config.stash[DESK]
        desk.close()
    source = config.stash.get(SOURCE, None)
    if source is not None:
        del config.stash[SOURCE]
        source.close()
