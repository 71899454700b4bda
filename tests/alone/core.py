"""data-bridge-core alone: compiles, and says what it cannot do without a database."""

import asyncio
import importlib.util

from data_bridge import core

statement = core.Statement(("raw", "SELECT ", "$"), (1,))
assert core.compile(statement) == core.Compiled("SELECT $1", (1,)), core.compile(statement)
assert importlib.util.find_spec("pydantic") is None
assert importlib.util.find_spec("data_bridge.query") is None
try:
    asyncio.run(core.fetch("SELECT 1"))
except core.NotInitialized as error:
    print(f"core alone: {error}")
else:
    raise AssertionError("a statement ran without a database")
