"""The handshake between core and the packages above it."""

from __future__ import annotations

from collections.abc import Iterable

from data_bridge.core import _native
from data_bridge.core.errors import IncompatibleCore

IR_VERSION: int = _native.IR_VERSION
"""The version of the structure; core accepts this one and the one before."""

FEATURES: frozenset[str] = frozenset(_native.FEATURES)
"""Names of what can be said in a structure."""


def require(*, ir: int, features: Iterable[str] = (), package: str = "a package") -> None:
    """Checks that this core understands what another package says. Called once, at its import.

    Raises:
        IncompatibleCore: with both versions and the command that repairs the installation.

    >>> from data_bridge.core import IR_VERSION, require
    >>> require(ir=IR_VERSION)
    """
    missing = sorted(set(features) - FEATURES)
    if ir in (IR_VERSION, IR_VERSION - 1) and not missing:
        return
    lacking = f" and lacks {', '.join(missing)}" if missing else ""
    raise IncompatibleCore(
        f"{package} needs IR version {ir}, the installed data-bridge-core has {IR_VERSION}{lacking}. "
        "Bring them together with: pip install --upgrade data-bridge-core data-bridge-query data-bridge-orm data-bridge-migrate"
    )
