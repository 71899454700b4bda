"""Another interpreter, for what would hurt the one of the tests."""

from __future__ import annotations

import subprocess
import sys
import textwrap


def script(text: str, *arguments: str, timeout: float) -> subprocess.CompletedProcess[str]:
    """Runs a program in which a warning is an error, for `timeout` seconds at most."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(text), *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
