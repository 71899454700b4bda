"""The data folder of a server: made by initdb once per version, then copied.

initdb costs 0.4 to 2 s, a copy of its result 50 ms. The copy kept for the next time lives in the virtual environment,
like compiled Python files, so that deleting the environment deletes it too.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from data_bridge.testing.errors import ServerError
from data_bridge.testing.server.account import Account
from data_bridge.testing.server.programs import Supplier
from data_bridge.testing.server.run_folder import RunFolder

__all__ = ["cache_folder", "copy_cluster", "make_cluster", "server_settings"]

CACHE_VARIABLE = "DATA_BRIDGE_CACHE"
SUPERUSER = "postgres"
NO_ENTRY = (
    "hint: the user {uid} has no entry in /etc/passwd, which initdb wants and the server does not. Add one while the image is"
    f" built, or make the data folder there: {CACHE_VARIABLE}=/opt/data-bridge data-bridge server run -- true, with the same"
    f" {CACHE_VARIABLE} when the tests run"
)
logger = logging.getLogger("data_bridge.testing")


def cache_folder() -> Path:
    """Where prepared data folders are kept: $DATA_BRIDGE_CACHE, the virtual environment, or the user's cache folder."""
    if named := os.environ.get(CACHE_VARIABLE):
        return Path(named)
    if sys.prefix != sys.base_prefix and os.access(sys.prefix, os.W_OK):
        return Path(sys.prefix, "var", "data-bridge")
    try:
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:  # a user without an entry in the user database, and $HOME is not set
        home = Path(tempfile.gettempdir())
    return home / "data-bridge"


def make_cluster(supplier: Supplier, data: Path, account: Account | None) -> None:
    """Make a new data folder that belongs to the server's account.

    Raises ServerError with initdb's own words when it fails, or when there is no room.
    """
    arguments = _initdb_arguments(supplier)
    key = hashlib.sha256("\0".join([str(supplier.bin), supplier.version, *arguments]).encode()).hexdigest()[:12]
    prepared = cache_folder() / f"pgdata-{supplier.version}-{key}"
    try:
        if _is_prepared(prepared):
            shutil.copytree(prepared, data, copy_function=shutil.copyfile)
        else:
            with _initialised(supplier, arguments, account) as made:
                _keep(made, prepared)
                shutil.copytree(made, data, copy_function=shutil.copyfile)
    except OSError as error:
        # copytree() repeats one reason for every file.
        reason = os.strerror(errno.ENOSPC) if "No space left" in str(error) else str(error)
        raise ServerError(
            f"the data folder {data} cannot be written: {reason}"
            "\nhint: make room, or set TMPDIR to another folder (a temporary server needs 50 MB)"
        ) from error
    data.chmod(0o700)
    if account:
        account.own(data)


def copy_cluster(supplier: Supplier, primary: Mapping[str, Any], data: Path, account: Account | None) -> None:
    """Make the data folder of a replica, which follows the primary by its unix socket.

    Raises ServerError with the words of pg_basebackup when it fails.
    """
    data.parent.chmod(0o711 if account else 0o700)
    data.mkdir(mode=0o700)
    if account:
        os.chown(data, account.uid, account.gid)
    done = subprocess.run(
        [
            supplier.program("pg_basebackup"), f"--pgdata={data}", f"--host={primary['sockets']}",
            f"--port={primary['port']}", f"--username={SUPERUSER}", "--wal-method=stream", "--checkpoint=fast",
            "--write-recovery-conf", "--no-sync", "--no-password",
        ],
        cwd="/",
        env={name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))} | {"LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        **(account.drop() if account else {}),
    )  # fmt: skip
    if done.returncode:
        raise ServerError(f"pg_basebackup of {supplier.name} {supplier.version} failed:\n{done.stdout}{done.stderr}")


def _is_prepared(prepared: Path) -> bool:
    """Whether an earlier start has left a data folder here that this user may read."""
    try:
        return prepared.is_dir() and os.access(prepared / "global" / "pg_control", os.R_OK)
    except OSError:
        return False


def _initdb_arguments(supplier: Supplier) -> list[str]:
    # "C" alone would break lower() and ILIKE outside ASCII; from 17 on the builtin provider folds alike everywhere.
    locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    if supplier.major < 17:
        locale = ["--locale=C.UTF-8"]
    return [f"--username={SUPERUSER}", "--encoding=UTF8", *locale, "--wal-segsize=1", "--auth-local=trust"]


def _keep(made: Path, prepared: Path) -> None:
    """Keep a data folder for later starts; the first process that renames its copy wins.

    Where nothing can be kept, later starts are slower and work all the same.
    """
    staged: Path | None = None
    try:
        prepared.parent.mkdir(parents=True, exist_ok=True)
        staged = Path(tempfile.mkdtemp(prefix=".new-", dir=prepared.parent))
        shutil.copytree(made, staged / "data", copy_function=shutil.copyfile)
        for folder, _, _ in os.walk(staged / "data"):
            # There are no secrets in it, and it may be kept in an image that another user runs.
            os.chmod(folder, 0o755)
        staged.chmod(0o755)
        (staged / "data").rename(prepared)
    except OSError as error:
        if not _is_prepared(prepared):
            logger.warning(
                "%s cannot keep a prepared data folder (%s), so that initdb runs at every start; set %s to a folder that can",
                prepared.parent, error.strerror or "no room", CACHE_VARIABLE,
            )  # fmt: skip
    finally:
        if staged is not None:
            shutil.rmtree(staged, ignore_errors=True)


@contextmanager
def _initialised(supplier: Supplier, arguments: list[str], account: Account | None) -> Generator[Path]:
    """A data folder that initdb has made, in a scratch folder that the server's account may enter.

    Raises ServerError with initdb's own words when it fails.
    """
    scratch = RunFolder.create(account, temporary=True)
    try:
        data = scratch.data_home / "data"
        data.mkdir(mode=0o700)
        _run_initdb(supplier, arguments, account, data, scratch.path / "password")
        yield data
    finally:
        scratch.remove()


def _run_initdb(supplier: Supplier, arguments: list[str], account: Account | None, data: Path, secret: Path) -> None:
    # initdb asks for a password as soon as a host line wants one; the real one is set at every start.
    secret.write_text(os.urandom(16).hex())
    if account:
        os.chown(data, account.uid, account.gid)
        os.chown(secret, account.uid, account.gid)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))}
    command: list[str | Path] = [supplier.program("initdb"), *arguments, "--auth-host=scram-sha-256", "--no-sync"]
    done = subprocess.run(
        [*command, f"--pgdata={data}", f"--pwfile={secret}"],
        cwd="/",
        env={**environment, "LC_ALL": "C", "TZ": "UTC"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        **(account.drop() if account else {}),
    )
    if done.returncode:
        words = f"{done.stdout}{done.stderr}"
        hint = NO_ENTRY.format(uid=os.geteuid()) if "could not look up effective user ID" in words else ""
        raise ServerError(f"initdb of {supplier.name} {supplier.version} failed:\n{words}{hint}")


def server_settings(supplier: Supplier, *, temporary: bool, free: int, connections: int = 100) -> dict[str, str]:
    """The configuration of an embedded server. Only what is kept is worth a disk flush."""
    settings = {
        "listen_addresses": "127.0.0.1",
        "max_connections": str(connections),
        "shared_buffers": "64MB",
        "jit": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "password_encryption": "scram-sha-256",
        # Shared memory as files of the data folder: nothing is left in the system's when the server is killed.
        "dynamic_shared_memory_type": "mmap",
        "max_logical_replication_workers": "0",
    }
    if supplier.major >= 18:
        settings["io_method"] = "sync"
    if temporary:
        settings |= {
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "wal_level": "minimal",
            "max_wal_senders": "0",
            "checkpoint_timeout": "1d",
            "max_wal_size": f"{max(64, min(4096, free // (4 * 1024 * 1024)))}MB",
        }
    return settings
