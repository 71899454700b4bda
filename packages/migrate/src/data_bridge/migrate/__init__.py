"""Migrations for PostgreSQL: classes or SQL files, one history, one runner at a time.

>>> from data_bridge.migrate import Migration, run_migrations
"""

from data_bridge.core import require as _require

_require(ir=1, features={"ddl"}, package="data-bridge-migrate")

from data_bridge.migrate.history import (  # noqa: E402
    AppliedMigration,
    MigrationStatus,
    fake_migrations,
    repair_history,
    resolve_migration,
)
from data_bridge.migrate.lint import LintReport, lint_migrations  # noqa: E402
from data_bridge.migrate.operations.declared import Backfill, RunSQL  # noqa: E402
from data_bridge.migrate.runner import (  # noqa: E402
    Plan,
    PlannedStep,
    Touched,
    get_migration_history,
    get_migration_status,
    require_applied,
    run_migrations,
)
from data_bridge.migrate.sources import Migration  # noqa: E402
from data_bridge.migrate.state import Project, load_project  # noqa: E402

__all__ = [
    "AppliedMigration",
    "Backfill",
    "LintReport",
    "Migration",
    "MigrationStatus",
    "Plan",
    "PlannedStep",
    "Project",
    "RunSQL",
    "Touched",
    "fake_migrations",
    "get_migration_history",
    "get_migration_status",
    "lint_migrations",
    "load_project",
    "repair_history",
    "require_applied",
    "resolve_migration",
    "run_migrations",
]
