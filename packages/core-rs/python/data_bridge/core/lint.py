"""What SQL statements lock, rewrite and risk: the linter of the core."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from data_bridge.core import _native


@dataclass(frozen=True, slots=True)
class Script:
    """One migration in one direction.

    Attributes:
        file: what findings are named after.
        statements: texts, each with the line where it begins.
        atomic: True: all in one transaction; False: each for itself; None: as the runner decides.
        down: whether it is the way back, where dropping is the purpose.
        report: whether its findings are wanted, or only what it does to the schema.
    """

    file: str
    statements: Sequence[tuple[str, int]]
    atomic: bool | None = None
    down: bool = False
    report: bool = True


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a rule found.

    Attributes:
        file: of the script.
        line: in the file.
        rule: L00 to L43.
        severity: error, warning or info.
        message: what happens.
        hint: the safe alternative.
        lock: the lock that hurts, or None.
        blocks: who waits for it.
        rewrite: whether the table is rewritten.
    """

    file: str
    line: int
    rule: str
    severity: str
    message: str
    hint: str
    lock: str | None
    blocks: str | None
    rewrite: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """What one statement does.

    Attributes:
        kind: `create_index`, `alter_table`, …; `unknown` when it was not understood.
        locks: relations with their locks.
        rewrites: relations that are rewritten.
        scans: relations that are read from end to end under the lock.
        transactional: whether it can run inside a transaction.
        object: what a statement outside of transactions makes or removes.
        on: the relation that this belongs to.
        contracts: whether the release before may need what it takes away, or write what it refuses from now on.
    """

    kind: str
    locks: list[tuple[str, str]]
    rewrites: list[str]
    scans: list[str]
    transactional: bool
    object: str | None
    on: str | None
    contracts: bool


def lint(
    scripts: Sequence[Script], *, qualified: bool = False, models: Sequence[tuple[str, str, Sequence[str]]] = ()
) -> list[Finding]:
    """Findings of all rules, in the order of the scripts; earlier scripts are the context of later ones.

    Args:
        scripts: in the order in which they run.
        qualified: whether names without a schema are findings (rule L36).
        models: name, table and columns of each model of the application (rule L43).

    >>> [f.rule for f in lint([Script("a.sql", [("CREATE INDEX i ON users (email)", 1)])])]
    ['L01']
    """
    given = [(s.file, list(s.statements), s.atomic, s.down, s.report) for s in scripts]
    rows = _native.lint_scripts(given, qualified, [(n, t, list(c)) for n, t, c in models])
    return [Finding(*row) for row in rows]


def facts(statements: Sequence[str]) -> list[Facts]:
    """What each statement does, the earlier ones being done.

    >>> facts(["ALTER TABLE users ADD age int"])[0].locks
    [('users', 'ACCESS EXCLUSIVE')]
    """
    return [Facts(*row) for row in _native.statement_facts(list(statements))]
