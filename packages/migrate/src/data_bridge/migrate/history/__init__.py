"""The history table: what is applied, what is pending, and how to correct it."""

from data_bridge.migrate.history.edit import fake_migrations, repair_history, resolve_migration
from data_bridge.migrate.history.status import MigrationStatus
from data_bridge.migrate.history.table import AppliedMigration, History

__all__ = ["AppliedMigration", "History", "MigrationStatus", "fake_migrations", "repair_history", "resolve_migration"]
