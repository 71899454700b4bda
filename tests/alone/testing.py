"""data-bridge-testing alone: a server and a rolled-back test, without orm, query and Pydantic."""

import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path

from data_bridge.testing import EmbeddedServer

assert importlib.util.find_spec("pydantic") is None
assert importlib.util.find_spec("data_bridge.query") is None
with EmbeddedServer() as server:
    print(f"testing alone: PostgreSQL {server.version}")
with tempfile.TemporaryDirectory() as folder:
    Path(folder, "test_it.py").write_text(
        "from data_bridge import core\n"
        "async def test_it(db):\n"
        "    await core.execute('CREATE TABLE t (id int)')\n"
        "    assert await core.execute('INSERT INTO t VALUES (1)') == 1\n"
    )
    # Settings of a checkout around this environment must not count.
    settings = ["-c", "/dev/null", "--rootdir", folder, "-p", "no:cacheprovider", "-W", "error"]
    subprocess.run([sys.executable, "-m", "pytest", "-q", *settings, folder], check=True)
