"""Messages that the page of troubleshooting quotes are those of the sources, of PostgreSQL or of Python."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "how-to" / "troubleshooting.md"
# What PostgreSQL, rustls and Python say, and values that a message of ours contains.
THEIRS = {
    "(open: none)", "(connect): Connection refused", "(authentication): password authentication failed",
    "(TLS): invalid peer certificate: UnknownIssuer", "too many connections for role", 'prepared statement "sqlx_s_',
    '" does not exist', "was never awaited", 'relation "', "cached plan must not change result type",
    "could not serialize access", "deadlock detected", "Post.author.name needs the row, which was not fetched",
    "User.bio was not loaded", "; did you mean max_connections=?", "is a method of Table; call the field otherwise",
    "find().update() without a filter would update every row", "CaUsedAsEndEntity",
    "still runs at the end of the test and has used the database", "statement(s) expected,",
}  # fmt: skip


def sources() -> str:
    files = [*ROOT.glob("packages/*/src/**/*.py"), *ROOT.glob("packages/core-rs/python/**/*.py")]
    files += ROOT.glob("packages/core-rs/crates/*/src/**/*.rs")
    text = "".join(file.read_text(encoding="utf-8") for file in files)
    text = re.sub(r'"\s*\n\s*f?r?"', "", text)  # literals that continue on the next line
    return re.sub(r"\\\n\s*", "", text)


def quoted() -> list[str]:
    """The fixed parts of every message in the first column of the tables."""
    parts: list[str] = []
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("| `"):
            cell = re.split(r"(?<!\\)\|", line)[1]
            for message in re.findall(r"`([^`]+)`", cell):
                parts += [p.strip() for p in re.split(r"…|'[^']*'|\d+\.\d+|\d+", message) if len(p.strip()) > 8]
    return parts


def test_quoted_messages_exist() -> None:
    text = sources()
    found = quoted()
    assert len(found) > 25
    assert [part for part in found if part not in text and part not in THEIRS] == []
