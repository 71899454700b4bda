"""What the commands print."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from data_bridge.core.lint import Finding
from data_bridge.migrate._sql_lexer import split, terminated
from data_bridge.migrate.command.terminal import Terminal
from data_bridge.migrate.history.status import MigrationStatus
from data_bridge.migrate.history.table import AppliedMigration
from data_bridge.migrate.lint.linter import LintReport
from data_bridge.migrate.operations.step import facts_of, strongest
from data_bridge.migrate.runner.plan import Plan, PlannedStep, Touched
from data_bridge.migrate.runner.table_sizes import size

_COLOURS = {"error": "red", "warning": "yellow", "info": "blue"}


def as_json(terminal: Terminal, value: Any) -> None:
    """One JSON text in one line."""
    terminal.say(json.dumps(value, default=lambda v: v.isoformat() if isinstance(v, datetime) else str(v)))


def status(terminal: Terminal, found: MigrationStatus) -> None:
    """The status for people."""
    terminal.say(f"current: {found.current or '-'}")
    for title, versions, colour in (
        ("pending", found.pending, "yellow"), ("late", found.late, "yellow"), ("failed", found.failed, "red"),
        ("unknown", found.unknown, "red"),
        ("modified", found.modified, "red"),
    ):  # fmt: skip
        if versions:
            terminal.say(f"{terminal.paint(title, colour)}: {', '.join(versions)}")
    if not found.pending:
        terminal.say("nothing is pending")


def history(terminal: Terminal, rows: Sequence[AppliedMigration]) -> None:
    """The history for people."""
    if not rows:
        terminal.say("nothing ran")
    for r in rows:
        at = r.finished_at or r.started_at
        state = terminal.paint(f"{r.state:<8}", "green" if r.state == "applied" else "red")
        error = f"  {r.error.splitlines()[0]}" if r.error else ""
        terminal.say(f"{r.version}  {state}{at:%Y-%m-%d %H:%M:%S%z}  {r.name}{error}")


def plan_json(made: Plan) -> dict[str, Any]:
    """The plan as JSON."""
    return {
        "versions": list(made), "steps": [asdict(s) for s in made.steps], "open": made.open, "warnings": made.warnings,
    }  # fmt: skip


def plan(terminal: Terminal, made: Plan, *, sizes: bool) -> None:
    """The plan as SQL with comments: it can be read, and run."""
    if not made:
        terminal.say("nothing to do")
    last = None
    for step in made.steps:
        if step.version != last:
            terminal.say(terminal.paint(f"-- {step.version}", "bold"))
            last = step.version
        _statements(terminal, step)
        if sizes:
            for t in step.touched:
                if note := _touched(t):
                    terminal.say(
                        terminal.paint(f"--   {note}", "red" if t.blocks == "readers and writers" else "yellow")
                    )
        if not step.understood:
            terminal.say(terminal.paint("--   not understood: its locks are not known", "red"))
    for v in made.open:
        terminal.say(f"-- {v} asks the database: its further steps are known only when it runs")
    for warning in made.warnings:
        terminal.say(terminal.paint(f"-- {warning}", "red"))


def _statements(terminal: Terminal, step: PlannedStep) -> None:
    statements = split(step.sql)
    for s in statements:
        lock = step.lock if len(statements) == 1 else strongest(facts_of(s.sql))
        alone = None if step.transactional else "outside a transaction"
        contracts = step.phase == "contract" and any(f.contracts for f in facts_of(s.sql))
        marks = [m for m in (lock and f"locks {lock}", alone, contracts and "contract") if m]
        terminal.say(terminated(s.sql) + (terminal.paint(f"  -- {', '.join(marks)}", "dim") if marks else ""))


def _touched(t: Touched) -> str:
    if not t.blocks and not t.rewrite:
        return ""
    text = f"{t.relation}: {t.lock}" + (f", {t.blocks} wait" if t.blocks else ", no session waits")
    known = f"{size(t.bytes)}, about {t.rows:,} rows" if t.bytes is not None and t.rows is not None else ""
    if t.rewrite:
        text += f"; written again{f': {known}' if known else ''}"
    elif t.scan:
        text += f"; read from end to end{f': {known}' if known else ''}"
    elif known:
        text += f" for a moment ({known})"
    return text


def finding_json(f: Finding) -> dict[str, Any]:
    """A finding as JSON."""
    return asdict(f)


def lint(terminal: Terminal, report: LintReport, *, waived: bool) -> None:
    """Findings for people."""
    for f in report.findings:
        head = terminal.paint(f"{f.rule} {f.severity}", _COLOURS[f.severity])
        terminal.say(f"{f.file}:{f.line}: {head}: {f.message}")
        waits = f.lock is not None and not (f.blocks or "").startswith("no reads")
        marks = [f"lock {f.lock}: {f.blocks} wait"] if waits else []
        marks += ["the table is rewritten"] if f.rewrite else []
        if marks:
            terminal.say(f"    {'; '.join(marks)}")
        terminal.say(f"    instead: {f.hint}")
    for file in (file for file, phase in report.phases.items() if phase == "contract"):
        terminal.say(terminal.paint(f"{file}: contract: the release before may not work after it", "dim"))
    for f, reason in report.waived if waived else []:
        terminal.say(terminal.paint(f"{f.file}:{f.line}: {f.rule} allowed: {reason}", "dim"))
    counts = {s: sum(f.severity == s for f in report.findings) for s in ("error", "warning", "info")}
    names = {"error": "error", "warning": "warning", "info": "note"}
    text = ", ".join(f"{n} {names[s]}{'' if n == 1 else 's'}" for s, n in counts.items() if n) or "nothing found"
    terminal.say(text + (f", {len(report.waived)} waived" if report.waived else ""))
