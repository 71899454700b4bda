"""The words of `data-bridge migrate`."""

from __future__ import annotations

import argparse
from pathlib import Path

EXIT = """\
exit status:
  0  done, or nothing to do                 4  lint found errors
  1  error                                  5  another runner is at work
  2  usage, configuration, no database      6  history and files disagree, or there is a history already
  3  something is open: migrations are         (baseline)
     pending (status --check), classes      7  a migration stopped half-way: run up again, or resolve
     have changed (make --check), a         8  a migration is not proved (make, baseline, rebase, verify)
     database differs (drift), or make
     has a question without an answer
"""
_EPILOG = f"""\
a first hour:
  data-bridge migrate init                    # a folder and the settings in pyproject.toml
  data-bridge migrate make -m "create users"   # from the classes; `new` for a skeleton
  data-bridge migrate lint                    # what would hurt a live database
  data-bridge migrate plan                    # what would run, with locks and sizes
  data-bridge migrate up                      # runs it

Settings are read from [tool.data-bridge.migrate] of the nearest pyproject.toml; the database is that of --database, of these
settings, or of $DATABASE_URL.

{EXIT}"""
_ABOUT = {
    "init": (
        "make the folder and the settings",
        (
            "Makes the folder of the migrations and writes [tool.data-bridge.migrate] into pyproject.toml. What "
            "is there stays as it is."
        ),
    ),
    "new": (
        "write the skeleton of a migration",
        "Writes a file whose name begins with the moment: it sorts behind all others.",
    ),
    "make": (
        "write a migration from the classes",
        (
            "Compares schema.lock, the recorded schema, with the classes of [tool.data-bridge.migrate] models, writes the "
            "migration between them and its way back, and proves both on a shadow database. Writes nothing when the proof "
            "fails or something has to be decided: renames and lost data are never guessed."
        ),
    ),
    "baseline": (
        "start from a database that is there",
        (
            "Reads a database that has tables and no history, writes the migration that makes its schema, and schema.lock, "
            "proves both on a shadow database, and records the migration as applied on the database that was read. The "
            "history tables of Alembic, Django, Aerich, Flyway, Prisma, golang-migrate and dbmate are named and left out. The "
            "exit status is 6 when the folder or the database has a history already."
        ),
    ),
    "rebase": (
        "make one history of two branches",
        (
            "For a merge or a rebase in git where both branches have migrations: renames those of one branch to versions behind "
            "those of the other, proves them on a shadow database, and writes schema.lock. In a rebase the commits that "
            "are applied move, in a merge the branch with the newest migration. Needs no database."
        ),
    ),
    "verify": (
        "prove migrations on a shadow database",
        (
            "Runs migrations on an empty database: up, down and up again. Down has to lead back to the schema before, and "
            "all of them to schema.lock. The exit status is 8 otherwise."
        ),
    ),
    "drift": (
        "compare a database with the recorded schema",
        (
            "Prints what differs between schema.lock and the database, and the SQL that would repair the database. Changes "
            "nothing. The exit status is 3 when something differs."
        ),
    ),
    "up": (
        "apply what is pending",
        (
            "Applies pending migrations, one transaction for each with its row in the history. A step that cannot"
            " run in a transaction is recorded for itself; an interrupted migration continues behind the last "
            "recorded step."
        ),
    ),
    "down": (
        "take back the last migration, or all behind a version",
        "Takes back the last migration; with a TARGET all behind it, which itself stays applied.",
    ),
    "to": (
        "go to a version, forwards or backwards",
        "Applies or takes back until TARGET is the last applied version.",
    ),
    "redo": (
        "take the last migration back and apply it again",
        "For writing migrations: proves that down() works, and tries the new up().",
    ),
    "status": (
        "show what is applied and what is not",
        "One query, no lock. With --check the exit status is 3 when something is pending.",
    ),
    "history": (
        "show what ran, when, and what failed",
        "Every row of the history table.",
    ),
    "plan": (
        "show what would run, with locks and sizes",
        (
            "Each step with its SQL, the locks that it takes, who is blocked meanwhile, what is rewritten, and"
            " how big that is by the statistics of the database."
        ),
    ),
    "sql": (
        "print the SQL of migrations; needs no database",
        "For reading, or for a DBA who runs it by hand; `stamp` writes the history then.",
    ),
    "lint": (
        "find what would hurt a live database; needs no database",
        (
            "Rules L00 to L43 over operations and SQL. A finding is allowed by a comment in its line or above "
            "it:\n\n  -- lint: allow L09: the table has ten rows"
        ),
    ),
    "fake": (
        "only write the history, for single versions",
        "Marks versions as applied, or with --down as not applied, and runs nothing.",
    ),
    "stamp": (
        "only write the history, up to a version",
        "For a database that has the tables already: everything up to TARGET counts as applied.",
    ),
    "resolve": (
        "say how a migration stands that stopped half-way",
        "When you have finished by hand (--applied) or undone by hand (--pending) what a failed migration left.",
    ),
    "repair": (
        "accept migrations that were changed after they ran",
        "Writes the checksums of the files as they are now, and forgets versions.",
    ),
}


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, common: argparse.ArgumentParser
) -> argparse.ArgumentParser:
    short, long = _ABOUT[name]
    return commands.add_parser(
        name, parents=[common], help=short, description=long, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def _add_models(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--models",
        action="append",
        default=[],
        metavar="MODULE",
        help="a module or package with the classes; repeatable",
    )


def _baseline_arguments(baseline: argparse.ArgumentParser) -> None:
    baseline.add_argument("-m", "--message", "--name", metavar="NAME", help="what it is called, by default baseline")
    _add_models(baseline)
    baseline.add_argument(
        "--all", action="store_true", help="schema.lock records what no class declares, too; needs no classes"
    )
    baseline.add_argument(
        "--schema",
        action="append",
        default=[],
        metavar="NAME",
        help="only this schema, and the first of the search path; repeatable",
    )
    baseline.add_argument("--strict", action="store_true", help="what a migration cannot make is an error")
    baseline.add_argument("--dry-run", action="store_true", help="prove it, print it, and write nothing")


def _schema_arguments(made: dict[str, argparse.ArgumentParser]) -> None:
    make = made["make"]
    make.add_argument("-m", "--message", "--name", metavar="NAME", help="what it does, such as 'add price'")
    make.add_argument("--check", action="store_true", help="only say what differs; status 3 then; needs no database")
    make.add_argument("--empty", action="store_true", help="a skeleton to fill by hand")
    make.add_argument("--sql", action="store_true", help="an SQL file instead of a Python one")
    make.add_argument("--dry-run", action="store_true", help="prove it, print it, and write nothing")
    _add_models(make)
    repeatable: tuple[tuple[str, str, str], ...] = (
        ("--rename", "OLD:NEW", "a table, table.column or enum.value has a new name"),
        ("--replace", "ENUM.VALUE:VALUE", "what rows get instead of an enum value that goes"),
        ("--fill", "TABLE.COLUMN:SQL", "what rows that are there get in a column that is NOT NULL now"),
        ("--using", "TABLE.COLUMN:SQL", "how old values become values of the new type"),
    )
    for option, metavar, text in repeatable:
        make.add_argument(option, action="append", default=[], metavar=metavar, help=text)
    make.add_argument(
        "--allow-drop",
        nargs="?",
        action="append",
        const="*",
        default=[],
        metavar="NAME",
        help="a table or table.column may be dropped with its data; without a name, all that are gone may",
    )
    _baseline_arguments(made["baseline"])
    made["verify"].add_argument("versions", nargs="*", metavar="VERSION", help="these; by default all")
    made["drift"].add_argument(
        "--strict", action="store_true", help="what is not recorded or not modelled counts as a difference"
    )
    made["rebase"].add_argument("--onto", metavar="COMMIT", help="the branch whose migrations stay as they are")
    made["rebase"].add_argument("--dry-run", action="store_true", help="try it, print it, and write nothing")
    for name in ("make", "baseline", "rebase", "verify", "drift"):
        made[name].add_argument(
            "--shadow",
            metavar="URL",
            help="server for trying things out; by default an embedded one (data-bridge-testing)",
        )


def build() -> argparse.ArgumentParser:
    """The parser of the command."""
    parser = argparse.ArgumentParser(
        prog="data-bridge migrate",
        description="Applies migrations to a database, takes them back, and says what they would do to it.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--directory", "-d", type=Path, help="folder of the migrations")
    common.add_argument("--database", help="DSN of the database")
    common.add_argument("--json", action="store_true", help="machine-readable output")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    made = {name: _command(commands, name, common) for name in _ABOUT}

    made["init"].add_argument(
        "folder", nargs="?", type=Path, default=Path("migrations"), help="migrations, if not given"
    )
    made["new"].add_argument("name", help="what it does, such as create_users")
    kind = made["new"].add_mutually_exclusive_group()
    kind.add_argument("--sql", action="store_true", help="an SQL file instead of a Python one")
    kind.add_argument("--folder", action="store_true", help="a folder with up.sql and down.sql")
    _schema_arguments(made)
    made["up"].add_argument("target", nargs="?", help="stop at this version")
    made["down"].add_argument("target", nargs="?", help="the version that stays applied; 0 takes back all")
    made["to"].add_argument("target", help="the version that is the last applied one afterwards; 0 is none")
    made["redo"].set_defaults(target=None)
    made["stamp"].add_argument("target", nargs="?", help="stop at this version")
    made["plan"].add_argument("target", nargs="?", help="stop at this version")
    made["plan"].add_argument(
        "--down", action="store_true", help="the down steps of the last migration, or down to TARGET"
    )
    made["status"].add_argument("--check", action="store_true", help="exit with status 3 when something is pending")
    made["sql"].add_argument("versions", nargs="*", metavar="VERSION", help="of these; by default of all")
    made["sql"].add_argument("--down", action="store_true", help="the down steps, last migration first")
    made["lint"].add_argument(
        "files", nargs="*", metavar="FILE", help="these files and folders; by default the whole folder"
    )
    made["lint"].add_argument(
        "--models", metavar="MODULE", help="module with the Table classes: what they still use is not dropped (L43)"
    )
    made["lint"].add_argument("--qualified", action="store_true", help="names without a schema are findings (L36)")
    made["lint"].add_argument("--strict", action="store_true", help="warnings count as errors")
    made["lint"].add_argument("--waived", action="store_true", help="show what comments allow, too")
    made["fake"].add_argument("versions", nargs="+", metavar="VERSION")
    made["fake"].add_argument("--down", action="store_true", help="mark them as not applied")
    made["resolve"].add_argument("version", metavar="VERSION")
    how = made["resolve"].add_mutually_exclusive_group(required=True)
    how.add_argument("--applied", action="store_true", help="everything of it is in the database")
    how.add_argument("--pending", action="store_true", help="nothing of it is: it starts from the beginning")
    made["repair"].add_argument(
        "--forget", action="append", default=[], metavar="VERSION", help="delete this version from the history, too"
    )
    for name in ("up", "down", "to", "redo", "stamp", "fake", "resolve", "repair"):
        made[name].add_argument(
            "--lock-timeout",
            type=float,
            metavar="SECONDS",
            help="how long to wait for another runner, and for locks of others",
        )
    for name in ("up", "down"):
        made[name].add_argument("--fake", action="store_true", help="only write the history")
        made[name].add_argument("--dry-run", action="store_true", help="show the SQL and change nothing")
    return parser
