"""An extension of griffe: examples in docstrings are code, also outside of a section "Examples:"."""

from __future__ import annotations

from typing import Any

import griffe


def fenced(text: str) -> str:
    """Returns a docstring whose interactive examples stand in fences.

    An example begins with a prompt and ends before an empty line, as for doctest.

    >>> print(fenced("Adds.\\n\\n>>> 1 + 1\\n2\\n\\nDone."))
    Adds.
    <BLANKLINE>
    ```pycon
    >>> 1 + 1
    2
    ```
    <BLANKLINE>
    Done.
    """
    lines: list[str] = []
    indent: str | None = None
    for line in [*text.splitlines(), ""]:
        if indent is None and line.lstrip().startswith(">>> "):
            indent = line[: len(line) - len(line.lstrip())]
            lines.append(f"{indent}```pycon")
        elif indent is not None and not line.strip():
            lines.append(f"{indent}```")
            indent = None
        # Directives are for doctest, not for readers.
        lines.append(line.partition("  # doctest:")[0])
    return "\n".join(lines[:-1])


class DocstringExamples(griffe.Extension):
    """Puts the examples of each docstring into fences before it is parsed."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Changes the docstring of one object."""
        if obj.docstring is not None and ">>> " in obj.docstring.value:
            obj.docstring.value = fenced(obj.docstring.value)
