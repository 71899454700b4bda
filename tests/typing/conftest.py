"""The checkers are installed by `nox -s types`; in other sessions there is nothing here to collect."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore_glob = ["cases/*"] if find_spec("mypy") else ["*"]
