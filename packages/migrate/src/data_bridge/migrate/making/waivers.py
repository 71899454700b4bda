"""Comments for the linter in a migration that is written: what a person has asked for is said where it is done."""

from __future__ import annotations

from data_bridge.core.lint import Finding

__all__ = ["waiver_of"]

_ASKED = {
    "L12": "an exclusion constraint has no gentle way",
    "L14": "the class has an identity now; look at the size of the table",
    "L15": "the class has a stored generated column now; look at the size of the table",
    "L16": "existing rows have no value for the column",
    "L17": "the class has another type now; look at the size of the table",
    "L18": "what uses the column is made again here, as far as the classes know it",
    "L19": "the class has another type now; values that do not fit stop the migration",
    "L20": "asked for by name",
    "L21": "asked for by name",
    "L22": "asked for by name",
    "L24": "the foreign keys that rely on it are dropped before",
    "L32": "a value goes, or the order changes",
    "L40": "the class has another domain now",
    "L10": "a deferrable key has no gentle way",
    "L11": "a deferrable key has no gentle way",
    "L29": "the table has no key of one column to go by",
    "L27": "a view is created again in the transaction, so that no reader misses it",
    "L28": "every step is committed for itself",
}

_ON_THE_WAY_BACK = {"L27": "the way back is one transaction, as the way forward is"}


def waiver_of(finding: Finding, *, is_way_back: bool) -> str | None:
    """The comment that waives a finding, or None for a finding that was not requested."""
    reason = (_ON_THE_WAY_BACK.get(finding.rule) if is_way_back else None) or _ASKED.get(finding.rule)
    return None if reason is None or finding.severity == "info" else f"lint: allow {finding.rule}: {reason}"
