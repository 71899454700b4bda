"""Modules move; the public names of query, orm and postgres and the ways to call them stay."""

from __future__ import annotations

import difflib
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def test_every_public_name_is_called_as_the_snapshot_says() -> None:
    """A wanted change is written down with `python tests/architecture/public_names.py`."""
    # In a process of its own, so that what other tests define in these packages is not seen.
    code = "import public_names; print('\\n'.join(public_names.lines()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=HERE)
    assert done.returncode == 0, done.stderr
    kept = (HERE / "public_names.txt").read_text().splitlines()
    assert len(kept) > 500
    assert list(difflib.unified_diff(kept, done.stdout.splitlines(), "snapshot", "now", lineterm="", n=0)) == []
