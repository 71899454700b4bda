"""Templates: a database with schema and seed, built once per content and cloned for tests.

On a server that outlives the run, a template is used again by later runs only where its key covers all that it is built from:
a folder of SQL. A function calls whatever it likes (create_all() of models elsewhere, Alembic, psql), so its template belongs
to one run, is shared by its workers, and is dropped with it; the next run drops what a killed one has left.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from types import CodeType
from typing import Any

from data_bridge.core import DatabaseError
from data_bridge.core._native import quote_identifier, quote_literal
from data_bridge.testing.databases.databases import PREFIX, create_database
from data_bridge.testing.databases.source import Session, Source
from data_bridge.testing.errors import ConfigurationError

__all__ = ["Content", "Template", "content_key", "ensure_template"]

Content = Any
"""What `db_template` returns: None, a folder of migrations, migrations, models, or a function."""

LOCK = 0x64625F74  # "db_t"
USED = 0x64625F75
"""Held, shared, on the name of a template by every worker that clones it."""
RUN = secrets.token_hex(8)
"""Stands for this run where no plugin has made a number that all its workers know."""
USER_TABLES = (
    "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c"
    " JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
    " AND n.nspname NOT LIKE 'pg\\_t%' ORDER BY 1"
)


class Template:
    """A finished template database."""

    __slots__ = ("_keeper", "database", "key", "seeded")

    def __init__(self, database: str, key: str, seeded: bool, keeper: Session | None = None) -> None:
        self.database = database
        self.key = key
        self.seeded = seeded
        """Whether it holds rows, so that a reset has to clone instead of deleting everything."""
        self._keeper = keeper

    def release(self, source: Source, content: Content) -> None:
        """This worker needs it no more; the last one of a run drops what later runs must not use."""
        keeper, self._keeper = self._keeper, None
        if keeper is None:
            return
        keeper.close()
        if not is_covered(content):
            with closing(source.session()) as session:
                _drop_unused(session, self.database)


def content_key(content: Content, version: str) -> str:
    """A key that changes with the migrations, models or function a template is built from, and with the server."""
    digest = hashlib.sha256(version.encode())
    for part in _parts(content):
        digest.update(b"\0" + part)
    return digest.hexdigest()[:16]


def _parts(content: Content) -> Iterator[bytes]:
    if content is None:
        return
    if isinstance(content, str | Path):
        folder = Path(content)
        if not folder.is_dir():
            raise ConfigurationError(f"db_template returned {str(content)!r}, which is not a folder")
        for path in sorted(folder.rglob("*")):
            if path.suffix in (".py", ".sql"):
                yield str(path.relative_to(folder)).encode()
                yield path.read_bytes()
    elif hasattr(content, "__table_def__"):
        yield repr(content.__table_def__).encode()
    elif inspect.isroutine(content) or inspect.isclass(content):
        yield f"{content.__module__}.{content.__qualname__}".encode()
        yield _source(content)
    elif isinstance(content, list | tuple):
        parts: list[Content] = list(content)  # pyright: ignore[reportUnknownArgumentType]
        for part in parts:
            yield from _parts(part)
    else:
        raise ConfigurationError(
            f"db_template returned {type(content).__name__}",
            hint="return migrations, a folder of them, models, or a function that builds the schema",
        )


def _source(content: Any) -> bytes:
    """The whole module of a function or class, as what it calls counts as well; of one typed at a prompt its code."""
    try:
        path = inspect.getsourcefile(content)
    except TypeError:
        path = None
    if path and Path(path).is_file():
        return Path(path).read_bytes()
    code: CodeType | None = getattr(content, "__code__", None)
    if code is None:
        return repr(sorted(vars(content))).encode()  # pyright: ignore[reportUnknownArgumentType]
    return repr((code.co_code, code.co_consts, code.co_names)).encode()


def ensure_template(source: Source, content: Content, build: Callable[[str, Content], None]) -> Template:
    """The template of this content, built by `build(dsn, content)` when it is not there yet.

    The first process builds it, under an advisory lock; later processes and runs wait and share it.
    """
    key = content_key(content, source.version)
    lasts = source.lasts
    if lasts:
        # A database may be copied by its owner alone: each role has templates of its own.
        key = hashlib.sha256(f"{key} {_role(source)}".encode()).hexdigest()[:16]
    if lasts and not is_covered(content):
        run = os.environ.get("PYTEST_XDIST_TESTRUNUID") or RUN
        key = hashlib.sha256(f"{key} {run}".encode()).hexdigest()[:16]
    name = f"{PREFIX}template_{key}"
    family = _family(source, content) if lasts else ""
    keeper: Session | None = None
    with closing(source.session()) as session:
        session.run(f"SELECT pg_advisory_lock({LOCK}, hashtext({quote_literal(name)}))")
        found = _finished(session, name)
        if found is None:
            session.run(f"DROP DATABASE IF EXISTS {quote_identifier(name)} WITH (FORCE)")
            create_database(session, name)
            if lasts:
                _note(session, name, {"family": family})
            try:
                build(source.dsn_of(name), content)
                found = {"seeded": _has_rows(source, name), "family": family}
            except BaseException:
                session.run(f"DROP DATABASE IF EXISTS {quote_identifier(name)} WITH (FORCE)")
                raise
            # A session left open would make every clone wait and fail.
            session.run(f"ALTER DATABASE {quote_identifier(name)} WITH ALLOW_CONNECTIONS false")
            session.run(
                f"SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity WHERE datname = {quote_literal(name)}"
            )
            _note(session, name, found)
        if lasts:
            keeper = source.session()
            keeper.run(f"SELECT pg_advisory_lock_shared({USED}, hashtext({quote_literal(name)}))")
            _drop_old(session, name, family)
    return Template(name, key, bool(found["seeded"]), keeper)


def _role(source: Source) -> str:
    with closing(source.session()) as session:
        return str(session.run("SELECT current_user")[0][0])


def is_covered(content: Content) -> bool:
    """Whether the key of a content changes with everything that its template is built from."""
    if content is None:
        return True
    if not isinstance(content, str | Path):
        return False
    return not any(Path(content).rglob("*.py"))


def _family(source: Source, content: Content) -> str:
    """What the templates of one project and fixture have in common from run to run; locks are seen within one database."""
    if isinstance(content, str | Path):
        what = str(content)
    else:
        what = f"{getattr(content, '__module__', '')}.{getattr(content, '__qualname__', '')}"
    return hashlib.sha256(f"{Path.cwd()} {what} {source.facts().get('url', '')}".encode()).hexdigest()[:16]


def _note(session: Session, name: str, facts: dict[str, Any]) -> None:
    session.run(f"COMMENT ON DATABASE {quote_identifier(name)} IS {quote_literal(json.dumps(facts))}")


def _drop_old(session: Session, name: str, family: str) -> None:
    """Drops the templates that this one replaces, except those of runs that still use them."""
    ours = quote_literal(f"{PREFIX}template_")
    rows = session.run(
        "SELECT datname, shobj_description(oid, 'pg_database') FROM pg_database"
        f" WHERE starts_with(datname::text, {ours}) AND datname <> {quote_literal(name)}"
    )
    for other, comment in rows:
        with suppress(ValueError):
            if other and comment and json.loads(comment).get("family") == family:
                _drop_unused(session, other)


def _drop_unused(session: Session, name: str) -> None:
    lock = f"hashtext({quote_literal(name)})"
    # It is neither being built nor being cloned.
    taken = [
        number for number in (LOCK, USED) if session.run(f"SELECT pg_try_advisory_lock({number}, {lock})")[0][0] == "t"
    ]
    try:
        if len(taken) == 2:
            # Of another role, or a last clone is being made of it: a later run drops it.
            with suppress(DatabaseError):
                session.run(f"DROP DATABASE IF EXISTS {quote_identifier(name)} WITH (FORCE)")
    finally:
        for number in taken:
            session.run(f"SELECT pg_advisory_unlock({number}, {lock})")


def _finished(session: Session, name: str) -> dict[str, Any] | None:
    rows = session.run(
        f"SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = {quote_literal(name)}"
    )
    if not rows or rows[0][0] is None:
        return None
    facts: dict[str, Any] = json.loads(rows[0][0])
    return facts if "seeded" in facts else None  # else it was being built by a run that was killed


def _has_rows(source: Source, database: str) -> bool:
    with closing(source.session(database)) as session:
        tables = [row[0] for row in session.run(USER_TABLES)]
        return any(session.run(f"SELECT 1 FROM {table} LIMIT 1") for table in tables)
