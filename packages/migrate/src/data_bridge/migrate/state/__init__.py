"""The schema that classes declare, and the schema that `schema.lock` records."""

from data_bridge.migrate.state.facts import Facts, differences, facts_of
from data_bridge.migrate.state.lock_file import Lock
from data_bridge.migrate.state.project import Project, load_project

__all__ = ["Facts", "Lock", "Project", "differences", "facts_of", "load_project"]
