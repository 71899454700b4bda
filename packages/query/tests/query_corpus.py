"""The corpus of the contract, read as Python tuples; ``python query_corpus.py`` rewrites it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from data_bridge.query import compile

FOLDER = Path(__file__).parents[2] / "core-rs" / "contract" / "corpus"


def tuples(value: Any) -> Any:
    """JSON arrays are the contract's tuples."""
    return tuple(map(tuples, value)) if isinstance(value, list) else value


def plain(value: Any) -> Any:
    """A parameter as JSON can show it: the corpus says which values travel, not how they are encoded."""
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def read() -> dict[str, dict[str, dict[str, Any]]]:
    """Every case by file and name."""
    return {f.stem: {case["name"]: case for case in json.loads(f.read_text())} for f in sorted(FOLDER.glob("*.json"))}


def write() -> None:
    """Makes the corpus of the calls in cases.py."""
    from query_cases import FILES

    for name, cases in FILES.items():
        lines: list[str] = []
        for case, call in cases.items():
            thing = call()
            statement = thing.__statement__()
            item = {"name": case, "ir": statement.ir, "params": plain(statement.params), "sql": compile(thing).sql}
            lines.append(
                ",\n    ".join(f"{json.dumps(k)}: {json.dumps(v, ensure_ascii=False)}" for k, v in item.items())
            )
        (FOLDER / f"{name}.json").write_text("[\n" + ",\n".join(f"  {{\n    {line}\n  }}" for line in lines) + "\n]\n")


if __name__ == "__main__":
    write()
