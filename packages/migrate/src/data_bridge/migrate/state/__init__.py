"""The schema that classes declare, and the schema that `schema.lock` records."""

from data_bridge.migrate.state.facts import Facts, differences, facts_of
from data_bridge.migrate.state.lock_file import Lock

__all__ = ["Facts", "Lock", "differences", "facts_of"]
