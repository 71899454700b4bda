"""Fails where a text uses a word that docs/contributing/style.md replaces, in documentation, docstrings, comments or messages.

Usage: python .ci/check_vocabulary.py
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
KINDS = (".py", ".md", ".rs", ".pyi", ".yml", ".toml", ".ci/run")
LEFT_OUT = re.compile(
    r"(^|/)(tests|benchmarks|CHANGELOG\.md|corpus)(/|$)|^docs/contributing/style\.md$|^\.ci/check_vocabulary\.py$"
)

# A word is also found as part of a sentence in code; names, values in quotes and addresses are not words of a sentence.
INSTEAD: dict[str, str] = {
    r"nobody": "the subject that does not act: no session waits, the value is not known",
    r"somebody|anybody": "the actor: a user, another session, another transaction",
    r"everybody": "all sessions, all users",
    r"whoever": "the actor: the caller, the task that awaits it",
    r"anew": "again",
    r"(?<!there )is no (?!longer|more than|less than|later|older|newer|other)": "is not a",
    r"to be had": "available",
    r"speaks of": "names, describes",
    r"hitherto|henceforth|whence|thereof|moreover": "a plain word, or a sentence of its own",
}
PATTERN = re.compile(
    rf"(?<![\w\"'`./])(?:{'|'.join(f'(?P<w{n}>{word})' for n, word in enumerate(INSTEAD))})(?![\w\"'`@=(])",
    re.IGNORECASE,
)


def main() -> int:
    """Prints each place; returns how many there are."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    found = 0
    for name in listed.split("\0"):
        if not name.endswith(KINDS) or LEFT_OUT.search(name) or not (ROOT / name).is_file():
            continue
        for number, line in enumerate((ROOT / name).read_text(encoding="utf-8").splitlines(), 1):
            for match in PATTERN.finditer(line):
                advice = list(INSTEAD.values())[int((match.lastgroup or "w0")[1:])]
                print(f"{name}:{number}: {match[0].strip()!r}: write {advice}")
                found += 1
    return min(found, 1)


if __name__ == "__main__":
    sys.exit(main())
