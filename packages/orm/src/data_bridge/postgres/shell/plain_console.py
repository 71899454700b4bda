"""The shell without IPython: Python's console with `await` at the prompt."""

from __future__ import annotations

import ast
import builtins
import code
import inspect
import sys
from importlib.util import find_spec
from types import CodeType, FunctionType
from typing import Any

from data_bridge.postgres.notebook.formatters import rows_as_text
from data_bridge.postgres.shell.loop import Loop

__all__ = ["interact"]


def interact(names: dict[str, Any], banner: str, loop: Loop) -> None:
    """Runs the lines that are typed until the end of the input."""
    names = {"__name__": "__main__", **names}
    if find_spec("readline") is not None:
        _complete(names)
    before = sys.displayhook
    sys.displayhook = _show
    try:
        _Console(names, loop).interact(banner, exitmsg="")
    except SystemExit:
        pass
    finally:
        sys.displayhook = before


class _Console(code.InteractiveConsole):
    def __init__(self, names: dict[str, Any], loop: Loop) -> None:
        super().__init__(names)
        self.compile.compiler.flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        self._names = names
        self._loop = loop

    def runcode(self, code: CodeType) -> None:
        line = FunctionType(code, self._names)
        try:
            if code.co_flags & inspect.CO_COROUTINE:
                self._loop.run(line())
            else:
                self._loop.call(line)
        except SystemExit:
            raise
        except KeyboardInterrupt:
            self.write("\nKeyboardInterrupt\n")
        except BaseException:  # as Python's console: the shell goes on
            self.showtraceback()


def _show(value: Any) -> None:
    """Prints the result of a line, and keeps it as `_`."""
    if value is None:
        return
    builtins._ = value  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    text = rows_as_text(value)
    if text is None:
        # A plan has lines of its own.
        text = str(value) if hasattr(value.__class__, "_repr_pretty_") else repr(value)
    print(text)


def _complete(names: dict[str, Any]) -> None:
    # Windows has no readline.
    import readline
    import rlcompleter

    readline.set_completer(rlcompleter.Completer(names).complete)
    readline.parse_and_bind("tab: complete")
