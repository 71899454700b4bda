"""Migrations for PostgreSQL: classes or SQL files, one history, one runner at a time.

>>> from data_bridge.migrate import Migration, run_migrations
"""

from data_bridge.core import require as _require

_require(ir=1, features={"ddl"}, package="data-bridge-migrate")

from data_bridge.migrate.history.fake import fake_migrations  # noqa: E402
from data_bridge.migrate.history.repair import repair_history  # noqa: E402
from data_bridge.migrate.history.resolve import resolve_migration  # noqa: E402
from data_bridge.migrate.history.status import MigrationStatus  # noqa: E402
from data_bridge.migrate.history.table import AppliedMigration  # noqa: E402
from data_bridge.migrate.lint.linter import LintReport, lint_migrations  # noqa: E402
from data_bridge.migrate.runner.api import get_migration_history, get_migration_status, run_migrations  # noqa: E402
from data_bridge.migrate.runner.plan import Plan, PlannedStep, Touched  # noqa: E402
from data_bridge.migrate.sources.migration import Migration  # noqa: E402

__all__ = [
    "AppliedMigration",
    "LintReport",
    "Migration",
    "MigrationStatus",
    "Plan",
    "PlannedStep",
    "Touched",
    "fake_migrations",
    "get_migration_history",
    "get_migration_status",
    "lint_migrations",
    "repair_history",
    "resolve_migration",
    "run_migrations",
]
