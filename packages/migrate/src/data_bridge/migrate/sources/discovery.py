"""Where migrations come from: a list, a folder, or the subclasses that were imported."""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType

from data_bridge.core.errors import ConfigurationError, MigrationConflict, MigrationError
from data_bridge.migrate._config import Config
from data_bridge.migrate._versions import key
from data_bridge.migrate.sources.migration import Migration, imported
from data_bridge.migrate.sources.sql_files import (
    digest_of,
    is_versioned,
    is_way_back,
    read_file,
    read_folder,
    read_text,
)


def _load(path: Path) -> ModuleType:
    name = f"data_bridge_migrations_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigurationError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _refuse_folder(folder: Path) -> None:
    """A folder that is not a migration may hold anything but migrations.

    Raises:
        MigrationError: SQL files, or Python files with a version, lie in it.
    """
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith((".", "_")) for part in path.relative_to(folder).parts)
        is_migration = path.suffix.lower() == ".sql" or (path.suffix == ".py" and is_versioned(path.stem))
        if is_migration and not hidden and path.is_file():
            raise MigrationError(
                f"{path} would not run: migrations lie in {folder.parent} itself, or in a folder with up.sql; move it, or "
                f"rename {folder.name} to _{folder.name}"
            )


def _with_version(path: Path, classes: Sequence[type[Migration]]) -> list[type[Migration]]:
    """The classes of a file that are migrations; those without a version may only be bases of others.

    Raises:
        MigrationError: a class, or a file that is named like a migration, would not run.
    """
    found = [c for c in classes if c.version]
    for c in classes:
        if c.version or any(issubclass(other, c) for other in found):
            continue
        if is_versioned(path.stem) or "up" in vars(c) or "down" in vars(c):
            raise MigrationError(
                f"{path}: {c.__name__} would not run, because it has no version: write version = "
                f'"{path.stem.partition("_")[0] if is_versioned(path.stem) else "…"}", or begin the name of the file with _'
            )
    if not classes and is_versioned(path.stem):
        raise MigrationError(f"{path} would not run: it holds no class that inherits from Migration")
    return found


def in_directory(directory: Path) -> list[type[Migration]]:
    """The migrations in a folder: Python files, SQL files, folders with up.sql.

    Raises:
        ConfigurationError: when there is no such folder.
        MigrationError: a file in it looks like a migration, and would not run.
    """
    if not directory.is_dir():
        raise ConfigurationError(f"there is no folder {directory}")
    found: list[type[Migration]] = []
    files: list[Path] = []
    for path in sorted(directory.iterdir()):
        if path.name.startswith((".", "_")):
            continue
        if path.is_dir():
            folder = read_folder(path)
            if folder is not None:
                found.append(folder)
            else:
                _refuse_folder(path)
        elif path.suffix == ".py":
            module = _load(path)
            classes = [
                c
                for c in vars(module).values()
                if inspect.isclass(c) and issubclass(c, Migration) and c.__module__ == module.__name__
            ]
            found += _with_version(path, classes)
        elif path.suffix != ".sql" and path.suffix.lower() == ".sql":
            raise MigrationError(f"{path} would not run: the names of SQL files end in .sql, in small letters")
        elif path.suffix == ".sql" and not is_way_back(path):
            files.append(path)
    # Beside migrations in folders of their own, a file without a version is something else.
    return found + [read_file(path) for path in files if not found or is_versioned(path.name)]


def discover(
    migrations: Sequence[type[Migration]] | None, directory: str | Path | None, config: Config
) -> list[type[Migration]]:
    """All migrations in their order.

    Raises:
        ConfigurationError: the folder does not exist, or holds no migrations.
        MigrationConflict: when two have one version, or one depends on an unknown one.
    """
    if migrations is not None:
        found: Iterable[type[Migration]] = migrations
    elif (folder := directory if directory is not None else config.directory) is not None:
        found = in_directory(Path(folder))
        if not found:
            raise ConfigurationError(
                f"{folder} holds no migrations: is it the right folder? `data-bridge migrate new NAME` writes the first one"
            )
    else:
        found = list(imported)
    return ordered(found)


def ordered(migrations: Iterable[type[Migration]]) -> list[type[Migration]]:
    """By version, and behind what they depend on."""
    by_version: dict[str, type[Migration]] = {}
    for m in migrations:
        other = by_version.get(m.version)
        if other is not None and other is not m:
            raise MigrationConflict(f"{other.title()} and {m.title()} both have version {m.version}")
        if not m.version:
            raise MigrationConflict(f"{m.__name__} has no version")
        by_version[m.version] = m
    left = sorted(by_version.values(), key=lambda m: key(m.version))
    for m in left:
        for needed in m.depends_on:
            if needed not in by_version:
                raise MigrationConflict(f"{m.version} {m.title()} depends on {needed}, which is unknown")
    done: list[type[Migration]] = []
    while left:
        free = next((m for m in left if all(any(d.version == n for d in done) for n in m.depends_on)), None)
        if free is None:
            raise MigrationConflict(
                f"migrations depend on each other in a circle: {', '.join(m.version for m in left)}"
            )
        done.append(free)
        left.remove(free)
    return done


def checksum(migration: type[Migration]) -> str:
    """Changes when the migration does: the text of its file, or the source of its class."""
    if migration._text_digest:
        return migration._text_digest
    path = migration.source
    if path is not None:
        return digest_of(read_text(path))
    try:
        return digest_of(inspect.getsource(migration))
    except (OSError, TypeError, SyntaxError):  # a shell, a notebook, a page of documentation
        return digest_of(f"{migration.__module__}.{migration.__qualname__}")
