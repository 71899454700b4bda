"""Templates: a database with schema and seed, built once per content and cloned for tests."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import CodeType
from typing import Any

from .database import PREFIX
from .embedded.admin import quote_identifier, quote_literal
from .errors import ConfigurationError
from .source import Session, Source

__all__ = ["Content", "Template", "content_key", "ensure_template"]

Content = Any
"""What `db_template` returns: None, a folder of migrations, migrations, models, or a function."""

LOCK = 0x64625F74  # "db_t"
USER_TABLES = (
    "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c"
    " JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
    " AND n.nspname NOT LIKE 'pg\\_t%' ORDER BY 1"
)


class Template:
    """A finished template database."""

    __slots__ = ("database", "key", "seeded")

    def __init__(self, database: str, key: str, seeded: bool) -> None:
        self.database = database
        self.key = key
        self.seeded = seeded
        """Whether it holds rows, so that a reset has to clone instead of deleting everything."""


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

    Whoever comes first builds, under an advisory lock; processes and runs that come later wait and share it.
    """
    key = content_key(content, source.version)
    name = f"{PREFIX}template_{key}"
    with closing(source.session()) as session:
        session.run(f"SELECT pg_advisory_lock({LOCK}, hashtext({quote_literal(name)}))")
        found = _finished(session, name)
        if found is None:
            session.run(f"DROP DATABASE IF EXISTS {quote_identifier(name)} WITH (FORCE)")
            session.run(f"CREATE DATABASE {quote_identifier(name)}")
            try:
                build(source.dsn_of(name), content)
                found = {"seeded": _has_rows(source, name)}
            except BaseException:
                session.run(f"DROP DATABASE IF EXISTS {quote_identifier(name)} WITH (FORCE)")
                raise
            # A session left open would make every clone wait and fail.
            session.run(f"ALTER DATABASE {quote_identifier(name)} WITH ALLOW_CONNECTIONS false")
            session.run(
                f"SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity WHERE datname = {quote_literal(name)}"
            )
            session.run(f"COMMENT ON DATABASE {quote_identifier(name)} IS {quote_literal(json.dumps(found))}")
    return Template(name, key, bool(found["seeded"]))


def _finished(session: Session, name: str) -> dict[str, Any] | None:
    rows = session.run(
        f"SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = {quote_literal(name)}"
    )
    if not rows or rows[0][0] is None:
        return None
    facts: dict[str, Any] = json.loads(rows[0][0])
    return facts


def _has_rows(source: Source, database: str) -> bool:
    with closing(source.session(database)) as session:
        tables = [row[0] for row in session.run(USER_TABLES)]
        return any(session.run(f"SELECT 1 FROM {table} LIMIT 1") for table in tables)
