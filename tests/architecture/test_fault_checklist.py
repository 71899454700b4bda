"""Every line of the fault checklist is kept by a test that says so."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "contributing" / "faults.md"
MARK = re.compile(r"mark\.fault\(([^)]*)\)")


def claimed() -> set[str]:
    """The codes that tests carry."""
    files = [*ROOT.glob("tests/*/test_*.py"), *ROOT.glob("packages/*/tests/**/test_*.py")]
    found = {
        code for file in files for mark in MARK.findall(file.read_text()) for code in re.findall(r"[A-I]\d+", mark)
    }
    assert found, "no test carries a code of the checklist"
    return found


def test_each_line_has_a_test() -> None:
    promised = set(re.findall(r"^\| ([A-I]\d+) \|", PAGE.read_text(), re.MULTILINE))
    assert len(promised) > 50
    assert promised - claimed() == set(), "lines of docs/contributing/faults.md without a test"
    assert claimed() - promised == set(), "codes that docs/contributing/faults.md does not know"
