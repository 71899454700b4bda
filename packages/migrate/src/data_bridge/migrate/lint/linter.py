"""lint_migrations(): what migrations lock, rewrite and risk, before they run."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data_bridge.core.errors import DataBridgeError, IrreversibleMigration, MigrationError
from data_bridge.core.lint import Finding, Script, lint
from data_bridge.migrate import _config as configuration
from data_bridge.migrate._sql_lexer import split
from data_bridge.migrate.lint.suppressions import Suppressions
from data_bridge.migrate.operations.phase import Phase, Phases
from data_bridge.migrate.runner.plan import record
from data_bridge.migrate.sources.discovery import discover, in_directory, ordered
from data_bridge.migrate.sources.migration import Migration
from data_bridge.migrate.sources.section_marks import is_atomic
from data_bridge.migrate.sources.sql_files import read_any, read_text, statements_of


@dataclass(frozen=True, slots=True)
class LintReport:
    """What the linter found.

    Attributes:
        findings: those that are not waived.
        waived: those that a comment allows, with its reason.
        phases: by file, "expand" if the release before works on after it, "contract" if it may not.
        ok: whether there is no finding of severity error.
    """

    findings: list[Finding] = field(default_factory=list[Finding])
    waived: list[tuple[Finding, str]] = field(default_factory=list[tuple[Finding, str]])
    phases: dict[str, Phase] = field(default_factory=dict[str, Phase])

    @property
    def ok(self) -> bool:
        """Whether there is no finding of severity error."""
        return not any(f.severity == "error" for f in self.findings)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A migration, and which of its directions are looked at."""

    migration: type[Migration]
    up: bool
    down: bool


async def lint_migrations(
    migrations: Sequence[type[Migration]] | None = None,
    *,
    directory: str | Path | None = None,
    files: Sequence[str | Path] = (),
    models: Iterable[Any] = (),
    qualified: bool = False,
) -> LintReport:
    """Looks at migrations with rules L01 to L43; needs no database.

    Args:
        migrations: classes; without them a folder, the configured one, or all imported subclasses.
        directory: a folder of Python and SQL migrations.
        files: only these files or folders; their neighbours before them are read to know the schema.
        models: Table classes or TableDefs of the application: dropping what they use is a finding (L43).
        qualified: whether a name without its schema is a finding (L36).

    Raises:
        MigrationError: a file cannot be read as a migration.

    >>> from data_bridge.migrate import lint_migrations
    >>> async def check() -> None:
    ...     report = await lint_migrations(directory="migrations")
    ...     for finding in report.findings:
    ...         print(finding.file, finding.line, finding.rule, finding.message)
    """
    if files:
        wanted = [w for group in _by_folder([Path(f) for f in files]) for w in group]
    else:
        found = discover(migrations, directory, configuration.read())
        wanted = [_Wanted(m, True, True) for m in found]
    scripts: list[Script] = []
    texts: dict[str, Suppressions] = {}
    extra: list[Finding] = []
    for w in wanted:
        for script, text in await _scripts(w, extra):
            scripts.append(script)
            texts.setdefault(script.file, Suppressions(text))
    extra += await _one_way([w.migration for w in wanted if w.up and w.migration.sections], wanted)
    known = [(type(m).__name__ if not inspect.isclass(m) else m.__name__, *_shape(m)) for m in models]
    report = LintReport()
    for script in scripts:
        if script.report and not script.down:
            phases = Phases()
            for sql, _ in script.statements:
                # A dump is mostly INSERT statements, which only add.
                if not sql.lstrip()[:7].upper().startswith("INSERT"):
                    phases.read(sql)
            report.phases[script.file] = phases.all
    for finding in [*lint(scripts, qualified=qualified, models=known), *extra]:
        suppressions = texts.get(finding.file)
        reason = suppressions.reason(finding.rule, finding.line) if suppressions else None
        if reason is None:
            report.findings.append(finding)
        else:
            report.waived.append((finding, reason))
    for file, suppressions in texts.items():
        for suppression in (w for w in suppressions.all if not w.reason):
            message = f"this allows {', '.join(sorted(suppression.rules))} without saying why, so it allows nothing"
            report.findings.append(
                _finding(file, suppression.line, "L00", "error", message, "-- lint: allow L07: reason")
            )
    order = {s.file: i for i, s in enumerate(scripts)}
    report.findings.sort(key=lambda f: (order.get(f.file, len(order)), f.line))
    return report


def _finding(file: str, line: int, rule: str, severity: str, message: str, hint: str) -> Finding:
    return Finding(file, line, rule, severity, message, hint, None, None, False)


def _shape(model: Any) -> tuple[str, list[str]]:
    definition = getattr(model, "__table_def__", model)
    schema = f'"{definition.schema}".' if definition.schema else ""
    return f'{schema}"{definition.name}"', [c.name for c in definition.columns]


def _by_folder(files: list[Path]) -> list[list[_Wanted]]:
    """Each file with the migrations of its folder before it, which make the schema that it meets."""
    groups: dict[Path, list[Path]] = {}
    for path in files:
        if not path.exists():
            raise MigrationError(f"there is no file {path}")
        home = path if path.is_dir() and not (path / "up.sql").is_file() else path.parent
        if path.name in ("up.sql", "down.sql"):
            home = path.parent.parent
        groups.setdefault(home, []).append(path)
    return [_wanted(home, {p.resolve() for p in paths}) for home, paths in groups.items()]


def _wanted(home: Path, paths: set[Path]) -> list[_Wanted]:
    try:
        found = ordered(in_directory(home))
    except DataBridgeError:
        found = []
    if home.resolve() in paths:
        return [_Wanted(m, True, True) for m in (found or ordered(in_directory(home)))]
    wanted: list[_Wanted] = []
    met: set[Path] = set()
    for m in found:
        up, down = _paths(m)
        both = m.source is not None and m.source.resolve() in paths
        one_file = up == down
        wanted.append(
            _Wanted(m, both or up in paths, both or (down in paths and not one_file) or (one_file and up in paths))
        )
        met |= {p for p in (up, down, m.source and m.source.resolve()) if p}
    while wanted and not (wanted[-1].up or wanted[-1].down):
        wanted.pop()
    for path in sorted(paths - met):
        m = read_any(path)
        wanted.append(_Wanted(m, not path.name.endswith("down.sql"), path.name.endswith("down.sql")))
    return wanted


def _paths(m: type[Migration]) -> tuple[Path | None, Path | None]:
    """The files of the two directions."""
    up, down = m._file("up"), m._file("down")
    return up and up.resolve(), down and down.resolve()


def _label(m: type[Migration], direction: str) -> str:
    """The file that findings name."""
    return str(m._file(direction) or inspect.getsourcefile(m) or m.__module__)


async def _scripts(w: _Wanted, extra: list[Finding]) -> list[tuple[Script, str]]:
    m = w.migration
    found: list[tuple[Script, str]] = []
    if m.sections is None:
        for direction, wanted in (("up", w.up), ("down", w.down)):
            made = await _of_class(m, direction, wanted, extra)
            if made is not None:
                found.append(made)
        return found
    for direction, text, wanted in (("up", m.sections[0], w.up), ("down", m.sections[1], w.down)):
        if not text or (direction == "down" and not wanted):
            continue
        label = _label(m, direction)
        try:
            statements = [(s.sql, s.line) for s in statements_of(text, Path(label))]
        except MigrationError as e:
            if wanted:
                extra.append(_finding(label, 1, "L00", "error", str(e), "the runner refuses this file as well"))
            statements = []
        atomic = None if is_atomic(text) else False
        found.append((Script(label, statements, atomic, direction == "down", wanted), text))
    return found


async def _of_class(
    m: type[Migration], direction: str, wanted: bool, extra: list[Finding]
) -> tuple[Script, str] | None:
    label = _label(m, direction)
    if direction == "down" and m.down is Migration.down and m.down_operations is None:
        if wanted and not m.irreversible:
            try:
                await record(m, "down")
            except IrreversibleMigration as e:
                line = _line_of(m)
                extra.append(_finding(label, line, "L42", "warning", str(e), 'down(), or irreversible = "why"'))
        return None
    try:
        steps, is_complete = await record(m, direction)
    except IrreversibleMigration:
        return None
    if not is_complete and wanted:
        message = f"{m.version} asks the database: what it does afterwards cannot be known before it runs"
        extra.append(_finding(label, _line_of(m), "L00", "info", message, "fetch() as late as possible"))
    statements = [
        (s.sql, (step.line or 1) + (s.line - 1 if step.line else 0)) for step in steps for s in split(step.sql)
    ]
    atomic = None if m.atomic == "auto" else bool(m.atomic)
    return Script(label, statements, atomic, direction == "down", wanted), _text(label)


def _text(label: str) -> str:
    try:
        return read_text(Path(label))
    except OSError:  # a module without a file
        return ""


def _line_of(m: type[Migration]) -> int:
    try:
        return inspect.getsourcelines(m)[1]
    except (OSError, TypeError):
        return 1


async def _one_way(looked_at: list[type[Migration]], wanted: list[_Wanted]) -> list[Finding]:
    """L42 for SQL: no way back, in a project where others have one."""
    have = [w.migration for w in wanted if w.migration.sections and (w.migration.sections[1] or "").strip()]
    if not have:
        return []
    return [
        _finding(
            _label(m, "up"), 1, "L42", "warning", f"{m.version} {m.title()} has no down migration",
            "a down section, or a line `-- irreversible: why`",
        )
        for m in looked_at
        if m.sections and not (m.sections[1] or "").strip() and not m.irreversible
    ]  # fmt: skip
