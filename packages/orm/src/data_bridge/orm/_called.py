"""Properties that other libraries have as methods: `row.is_changed()` is an error that names the spelling here.

A property cannot know what becomes of its value, and a value that is callable would not be a bool any more. The instruction
that reads the attribute tells: a method that is called at once is read by another one. Where it cannot be read, the call is
Python's own TypeError, as for any bool.
"""

from __future__ import annotations

import dis
import sys
from types import CodeType

__all__ = ["refuse_call"]

# Until 3.11 an instruction of its own; from 3.12 on a bit of the argument of LOAD_ATTR.
_LOAD_METHOD = dis.opmap.get("LOAD_METHOD", -1) if sys.version_info < (3, 12) else -1
_LOAD_ATTR = dis.opmap.get("LOAD_ATTR", -1) if sys.version_info >= (3, 12) else -1
_known: dict[tuple[CodeType, int], bool] = {}
"""Whether a call follows, by the instruction that asks; few places ask."""


def refuse_call(owner: str, name: str) -> None:
    """Raises for `owner.name()`; called in the getter of a property.

    Raises:
        TypeError: naming the property.
    """
    frame = sys._getframe(2)
    at = (frame.f_code, frame.f_lasti)
    called = _known.get(at)
    if called is None:
        if len(_known) > 1024:
            _known.clear()
        called = _known[at] = _is_called(*at)
    if called:
        raise TypeError(f"{owner}.{name} is a property: write {owner}.{name}, without ()")


def _is_called(code: CodeType, at: int) -> bool:
    text = code.co_code
    if not 0 <= at < len(text) - 1:
        return False
    return text[at] == _LOAD_METHOD or (text[at] == _LOAD_ATTR and bool(text[at + 1] & 1))
