"""Whom the server runs as: PostgreSQL refuses root, so root lends it an unprivileged account."""

from __future__ import annotations

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_bridge.testing.errors import ConfigurationError

__all__ = ["Account", "server_account"]


@dataclass(frozen=True, slots=True)
class Account:
    """An unprivileged user of this machine."""

    name: str
    uid: int
    gid: int

    def drop(self) -> dict[str, Any]:
        """Arguments of subprocess.run and Popen that change the account."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def can_enter(self, folder: Path) -> bool:
        """Whether every folder on the way lets this account pass."""
        return self.runs("test", "-x", str(folder))

    def runs(self, *command: str | Path) -> bool:
        """Whether a command succeeds under this account."""
        try:
            done = subprocess.run(
                command, cwd="/", capture_output=True, check=False, user=self.uid, group=self.gid, extra_groups=[]
            )
        except OSError:
            return False
        return done.returncode == 0

    def own(self, folder: Path) -> None:
        """Give a folder and everything in it to this account."""
        os.chown(folder, self.uid, self.gid)
        for base, folders, files in os.walk(folder):
            for name in (*folders, *files):
                os.chown(os.path.join(base, name), self.uid, self.gid, follow_symlinks=False)


def server_account() -> Account | None:
    """None when the current user may run PostgreSQL, else the account to use instead of root.

    An account with an entry in the user database is needed because initdb asks for its name.

    Raises ConfigurationError when root is the only user of the machine.
    """
    if os.geteuid() != 0:
        return None
    for name in ("nobody", "postgres"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid:
            return Account(name, entry.pw_uid, entry.pw_gid)
    for entry in pwd.getpwall():
        if entry.pw_uid:
            return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
    raise ConfigurationError(
        "PostgreSQL does not run as root and this machine has no other user",
        hint="add one, for example `useradd postgres`",
    )
