"""data-bridge-migrate alone: reads migrations and plans them without Pydantic."""

import asyncio
import importlib.util
import tempfile
from pathlib import Path

from data_bridge.migrate import Migration, lint_migrations
from data_bridge.migrate.sources.discovery import in_directory

assert importlib.util.find_spec("pydantic") is None
assert importlib.util.find_spec("data_bridge.orm") is None
with tempfile.TemporaryDirectory() as folder:
    Path(folder, "1_users.sql").write_text("CREATE TABLE users (id int PRIMARY KEY)")
    (found,) = in_directory(Path(folder))
assert issubclass(found, Migration)
assert found.version == "1"
report = asyncio.run(lint_migrations([found]))
assert [f.rule for f in report.findings] == ["L39"]
print(f"migrate alone: {found.version}")
