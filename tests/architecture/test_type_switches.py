"""Where pyright's strict rules are switched off for a whole file."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]

# Each walks structures of tuples, JSON documents or attributes of Pydantic, which have no static type: a comment on every
# second line would say nothing more.
FILES = {
    "packages/orm/src/data_bridge/orm/_events.py",
    "packages/orm/src/data_bridge/orm/_state.py",
    "packages/orm/src/data_bridge/orm/models/input_model.py",
    "packages/orm/src/data_bridge/orm/persistence/in_flight.py",
    "packages/orm/src/data_bridge/orm/relations/loading.py",
    "packages/query/src/data_bridge/query/ddl/nodes.py",
    "packages/query/src/data_bridge/query/expressions/json_evaluation.py",
    "packages/query/src/data_bridge/query/spi/table_names.py",
    "packages/query/src/data_bridge/query/statements/disambiguation.py",
    "packages/query/src/data_bridge/query/statements/parameter_sharing.py",
}


def test_few_files_switch_rules_off() -> None:
    folders = [ROOT / "packages/core-rs/python", *ROOT.glob("packages/*/src")]
    files = [path for folder in folders for path in folder.rglob("*.py")]
    found = {str(p.relative_to(ROOT)) for p in files if re.search(r"^# pyright:", p.read_text(), re.MULTILINE)}
    assert found == FILES, "ignore the rule on the line that needs it: `# pyright: ignore[rule]`"
