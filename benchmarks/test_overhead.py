"""What the `db` fixture adds to a test: runs of empty tests with and without it, interleaved.

Each run is a pytest of its own over the same number of tests, so that the start of pytest and of the server is in both; the
difference of their medians over the number of tests is what one test pays. Run it alone on the machine:
``python benchmarks/test_overhead.py [RUNS]``.
"""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

TESTS = 2000
HEAD = f"import pytest\n\n@pytest.mark.parametrize('i', range({TESTS}))\n"
SUITES = {
    "plain": ("def test({}i): pass", "plain function"),
    "coroutine": ("async def test({}i): pass", "coroutine"),
    "used": ("async def test({}i):\n    for _ in range(3): {}", "… with three statements"),
}


def run(folder: Path, name: str) -> float:
    """Seconds of one run, as pytest counts them."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", f"test_{name}.py"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    found = re.search(rf"{TESTS} passed.* in ([\d.]+)s", done.stdout)
    assert found, done.stdout
    return float(found[1])


def main(runs: int = 5) -> None:
    """Prints milliseconds of one test with and without the fixture."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for name, (text, _) in SUITES.items():
            (folder / f"test_{name}_bare.py").write_text(HEAD + text.format("", "pass"))
            (folder / f"test_{name}_db.py").write_text(HEAD + text.format("db, ", "await db.fetch_val('SELECT 1')"))
        # The bare tests start the server as well, so that it is in both.
        (folder / "conftest.py").write_text(
            "import pytest\n\n@pytest.fixture(scope='session', autouse=True)\n"
            "def server(request):\n    request.getfixturevalue('databases')\n"
        )
        (folder / "pytest.ini").write_text("[pytest]\n")
        found: dict[str, list[float]] = {}
        for _ in range(runs):
            for name in SUITES:
                for side in ("bare", "db"):
                    found.setdefault(f"{name}_{side}", []).append(run(folder, f"{name}_{side}"))
        print(f"{'ms per test':28}{'bare':>8}{'with db':>10}{'added':>8}")
        for name, (_, label) in SUITES.items():
            bare, with_db = (statistics.median(found[f"{name}_{side}"]) / TESTS * 1e3 for side in ("bare", "db"))
            print(f"{label:28}{bare:8.2f}{with_db:10.2f}{with_db - bare:8.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
