"""The operations that lead from one schema to another."""

from data_bridge.migrate.diff.decisions import Decisions, decide
from data_bridge.migrate.diff.instructions import Instructions, Undecided
from data_bridge.migrate.diff.schema_diff import diff

__all__ = ["Decisions", "Instructions", "Undecided", "decide", "diff"]
