"""The commands that know the schema: make, baseline, rebase, verify, drift."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from pathlib import Path

from data_bridge.core import Database
from data_bridge.core.errors import MigrationError
from data_bridge.migrate import _config as configuration
from data_bridge.migrate import making
from data_bridge.migrate.command import output
from data_bridge.migrate.command.call import Call
from data_bridge.migrate.diff.decisions import Ask
from data_bridge.migrate.diff.instructions import Instructions
from data_bridge.migrate.lint import LintReport
from data_bridge.migrate.making.baseline import BaselineRequest, make_baseline
from data_bridge.migrate.making.drift import find_drift
from data_bridge.migrate.making.proof import Proof, prove_history
from data_bridge.migrate.making.rebase import rebase as rebase_branch
from data_bridge.migrate.making.recorded import is_current, owners, projected
from data_bridge.migrate.making.shadow import Shadow
from data_bridge.migrate.sources import discover, templates
from data_bridge.migrate.state import lock_file
from data_bridge.migrate.state.facts import differences, facts_of

_OPEN = 3
_UNPROVED = 8


def _directory(call: Call) -> Path:
    return call.options.directory or configuration.read().directory or Path("migrations")


async def make(call: Call) -> int:
    """Writes the migration between schema.lock and the classes; with --check only says what differs, by status 3."""
    options = call.options
    directory = _directory(call)
    if options.empty:
        call.show_paths(
            [str(templates.write(directory, options.message or "change", "sql" if options.sql else "python"))]
        )
        return 0
    request = making.MakeRequest(
        directory,
        options.models,
        configuration.read(),
        name=options.message or "",
        instructions=Instructions.of_options(
            options.rename, options.replace, options.fill, options.using, options.allow_drop
        ),
        shadow=options.shadow,
        sql=options.sql,
        dry_run=options.dry_run,
        ask=_asking(call),
    )
    if options.check:
        changes = making.check(request)
        if call.is_json:
            call.show_json({"changes": changes})
        else:
            _say(call, changes or ["nothing changed"])
        return _OPEN if changes else 0
    _show_made(call, await making.make(request))
    return 0


def _show_made(call: Call, made: making.Made) -> None:
    if call.is_json:
        findings = [output.finding_json(f) for f in made.findings]
        call.show_json(
            {
                "changes": made.changes,
                "paths": made.paths,
                "foreign": made.foreign,
                "text": made.text,
                "findings": findings,
            }
        )
        return
    terminal = call.terminal
    if call.options.dry_run and made.text:
        terminal.say(made.text.rstrip())
        return
    _say(call, made.changes or ["nothing changed"])
    _say(call, [_near(path) for path in made.paths])
    for name in made.foreign:
        terminal.say(terminal.paint(f"no class declares the {name}: it is left alone", "yellow"))
    if made.text:
        output.lint(terminal, LintReport([replace(f, file=_near(f.file)) for f in made.findings]), waived=False)


def _near(path: str) -> str:
    """A path from the working directory, where it is below it."""
    place, here = Path(path), Path.cwd()
    return str(place.relative_to(here)) if place.is_relative_to(here) else path


def _say(call: Call, lines: list[str]) -> None:
    colours = {"+": "green", "-": "red", "~": "yellow"}
    for line in lines:
        colour = colours.get(line[:1])
        call.terminal.say(call.terminal.paint(line, colour) if colour else line)


def _asking(call: Call) -> Ask | None:
    """Asks questions on a terminal; None where the streams are not a terminal."""
    if call.is_json or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return None

    def ask(question: str, is_yes_or_no: bool) -> str:
        try:
            return input(f"{question} {'[y/n] ' if is_yes_or_no else ''}").strip()
        except EOFError:
            return ""

    return ask


async def baseline(call: Call, database: Database) -> int:
    """Writes the migration that makes the schema of the database, and records it there as applied."""
    options, terminal = call.options, call.terminal
    made = await make_baseline(
        BaselineRequest(
            _directory(call),
            options.models,
            configuration.read(),
            name=options.message or "",
            schemas=options.schema,
            records_all=options.all,
            strict=options.strict,
            shadow=options.shadow,
            dry_run=options.dry_run,
        ),
        database,
    )
    if call.is_json:
        call.show_json({**asdict(made), "findings": [output.finding_json(f) for f in made.findings]})
        return 0
    for history in made.histories:
        newest = f", the last is {history.versions[-1]}" if history.versions else ""
        terminal.say(f"{history.tool}: {history.schema}.{history.table} holds {len(history.versions)} versions{newest}")
    for name in made.unmodelled:
        terminal.say(terminal.paint(f"not modelled: {name}: the migration does not make it", "yellow"))
    for name in made.foreign:
        terminal.say(terminal.paint(f"no class declares the {name}: it is left alone", "yellow"))
    if options.dry_run:
        terminal.say(made.text.rstrip())
        return 0
    _say(call, [_near(path) for path in made.paths])
    terminal.say(f"{made.version} is recorded as applied")
    if made.changes:
        terminal.say(
            "the classes are not as the database is (- database, + classes); the next `make` writes this change:"
        )
        _say(call, made.changes)
    return 0


async def rebase(call: Call) -> int:
    """Gives the migrations of one branch versions behind those of the other, and writes schema.lock."""
    options, terminal = call.options, call.terminal
    call.find_directory()
    made = await rebase_branch(
        _directory(call), configuration.read(), onto=options.onto, shadow=options.shadow, dry_run=options.dry_run
    )
    if call.is_json:
        call.show_json(asdict(made))
        return 0
    for old, new in made.moved.items():
        terminal.say(f"{old} is {new} now")
    if not made.moved:
        terminal.say("nothing to move")
    for name in made.both:
        terminal.say(terminal.paint(f"both branches change {name}: look at both migrations", "yellow"))
    _say(call, [_near(path) for path in made.paths])
    return 0


async def verify(call: Call) -> int:
    """Runs migrations on a shadow database, up, down and up again; the status is 8 when one is not as it has to be.

    Raises:
        MigrationError: a version is unknown.
    """
    options = call.options
    call.find_directory()
    config = configuration.read()
    found = discover(None, options.directory, config)
    unknown = set(options.versions) - {m.version for m in found}
    if unknown:
        raise MigrationError(f"there is no migration {min(unknown)}")
    lock = lock_file.read(Path(_directory(call)))
    async with Shadow(options.shadow, config) as shadow, shadow.database() as database:
        await shadow.make_roles(lock.facts if lock is not None else {})
        proof = await prove_history(shadow, database, found, options.versions)
        if proof.problems:
            pass  # the schema is not the one behind the newest migration
        elif lock is not None and is_current(lock, found):
            schema = projected(await shadow.read(database), owners(lock.facts))
            if wrong := differences(lock.facts, facts_of(schema)):
                proof.problems += [
                    f"the migrations do not lead to {lock_file.NAME} (- recorded, + made):",
                    *(f"  {line}" for line in wrong),
                ]
        elif lock is not None:
            proof.problems.append(
                f"{lock_file.NAME} is not up to date with the migrations: run `data-bridge migrate make`"
            )
    _show_proof(call, proof)
    return _UNPROVED if proof.problems else 0


def _show_proof(call: Call, proof: Proof) -> None:
    if call.is_json:
        call.show_json({**asdict(proof), "ok": not proof.problems})
        return
    terminal = call.terminal
    for version in proof.verified:
        if version in proof.irreversible:
            terminal.say(f"{version}: up only: {proof.irreversible[version].splitlines()[0]}")
        elif version in proof.reordered:
            terminal.say(f"{version}: up and down; down leaves columns in another order")
        elif not any(line.startswith(f"{version}:") for line in proof.problems):
            terminal.say(f"{version}: up and down")
    for line in proof.problems:
        terminal.say(terminal.paint(line, "red"))


async def drift(call: Call, database: Database) -> int:
    """Prints where the database is not as schema.lock says, and the SQL that would repair it; the status is 3 then."""
    options = call.options
    found = await find_drift(_directory(call), database, configuration.read(), options.shadow)
    is_bad = bool(found.changes or (options.strict and (found.unrecorded or found.unmodelled)))
    if call.is_json:
        call.show_json({**asdict(found), "ok": not is_bad})
        return _OPEN if is_bad else 0
    _say(call, found.changes or ["the database is as recorded"])
    for name in found.unrecorded:
        call.terminal.say(f"not recorded: {name}")
    for name in found.unmodelled:
        call.terminal.say(f"not modelled: {name}")
    for note in found.notes:
        call.terminal.say(call.terminal.paint(f"note: {note}", "yellow"))
    for statement in found.sql:
        call.terminal.say(statement)
    return _OPEN if is_bad else 0
