"""The shell in IPython."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from IPython import start_ipython
from traitlets.config import Config

from data_bridge.postgres.notebook import load_ipython_extension as show_tables
from data_bridge.postgres.shell.loop import Loop

__all__ = ["interact", "load_ipython_extension"]


def interact(names: dict[str, Any], banner: str, loop: Loop) -> None:
    """Runs the lines that are typed until the end of the input."""

    def run(line: Coroutine[Any, Any, Any]) -> Any:
        return loop.run(line)

    config: Any = Config()
    # A function, not the method: settings are copied, and the loop must not be.
    config.InteractiveShell.loop_runner = run
    config.TerminalInteractiveShell.banner1 = banner + "\n"
    config.InteractiveShellApp.extensions = [__name__]
    start_ipython(argv=[], user_ns=names, config=config)


def load_ipython_extension(shell: Any) -> None:
    """Shows rows as tables, and says of a line that Ctrl-C cancelled what Python says."""
    show_tables(shell)
    shell.set_custom_exc((asyncio.CancelledError,), _cancelled)


def _cancelled(shell: Any, kind: Any, error: Any, trace: Any, tb_offset: Any = None) -> None:
    print("\nKeyboardInterrupt")
