"""The data folder of a server: made by initdb once per version, then copied.

initdb costs 0.4 to 2 s, a copy of its result 50 ms. The copy kept for the next time lives in the virtual environment,
like compiled Python files, so that deleting the environment deletes it too.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from data_bridge.testing.errors import ServerError
from data_bridge.testing.server.account import Account
from data_bridge.testing.server.programs import Supplier
from data_bridge.testing.server.run_folder import RunFolder

__all__ = ["cache_folder", "make_cluster", "server_settings"]

CACHE_VARIABLE = "DATA_BRIDGE_CACHE"
SUPERUSER = "postgres"


def cache_folder() -> Path:
    """Where prepared data folders are kept: $DATA_BRIDGE_CACHE, the virtual environment, or the user's cache folder."""
    if named := os.environ.get(CACHE_VARIABLE):
        return Path(named)
    if sys.prefix != sys.base_prefix and os.access(sys.prefix, os.W_OK):
        return Path(sys.prefix, "var", "data-bridge")
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home, "data-bridge")


def make_cluster(supplier: Supplier, data: Path, account: Account | None) -> None:
    """Make a new data folder that belongs to the server's account.

    Raises ServerError with initdb's own words when it fails.
    """
    arguments = _initdb_arguments(supplier)
    key = hashlib.sha256("\0".join([str(supplier.bin), supplier.version, *arguments]).encode()).hexdigest()[:12]
    prepared = cache_folder() / f"pgdata-{supplier.version}-{key}"
    if not prepared.is_dir():
        _prepare(supplier, arguments, account, prepared)
    shutil.copytree(prepared, data, copy_function=shutil.copyfile)
    data.chmod(0o700)
    if account:
        account.own(data)


def _initdb_arguments(supplier: Supplier) -> list[str]:
    # "C" alone would break lower() and ILIKE outside ASCII; from 17 on the builtin provider folds alike everywhere.
    locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    if supplier.major < 17:
        locale = ["--locale=C.UTF-8"]
    return [f"--username={SUPERUSER}", "--encoding=UTF8", *locale, "--wal-segsize=1", "--auth-local=trust"]


def _prepare(supplier: Supplier, arguments: list[str], account: Account | None, prepared: Path) -> None:
    """Run initdb in a scratch folder and move the result into the cache; whoever renames first wins."""
    scratch = RunFolder.create(account, temporary=True)
    try:
        data = scratch.data_home / "data"
        data.mkdir(mode=0o700)
        if account:
            os.chown(data, account.uid, account.gid)
        command: list[str | Path] = [
            supplier.program("initdb"),
            *arguments,
            "--auth-host=scram-sha-256",
            "--no-sync",
            f"--pgdata={data}",
        ]
        # initdb asks for a password as soon as a host line wants one; the real one is set at every start.
        secret = scratch.path / "password"
        secret.write_text(os.urandom(16).hex())
        if account:
            os.chown(secret, account.uid, account.gid)
        command.append(f"--pwfile={secret}")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))}
        done = subprocess.run(
            command,
            cwd="/",
            env={**environment, "LC_ALL": "C", "TZ": "UTC"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            **(account.drop() if account else {}),
        )
        if done.returncode:
            raise ServerError(f"initdb of {supplier.name} {supplier.version} failed:\n{done.stdout}{done.stderr}")
        prepared.parent.mkdir(parents=True, exist_ok=True)
        staged = Path(tempfile.mkdtemp(prefix=".new-", dir=prepared.parent))
        shutil.copytree(data, staged / "data", copy_function=shutil.copyfile)
        try:
            (staged / "data").rename(prepared)
        except OSError:
            if not prepared.is_dir():
                raise
        shutil.rmtree(staged, ignore_errors=True)
    finally:
        scratch.remove()


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
