"""Runs migrations: what is pending, step by step, with recovery after an interruption."""

from data_bridge.migrate.runner.api import get_migration_history, get_migration_status, run_migrations
from data_bridge.migrate.runner.plan import Plan, PlannedStep, Touched
from data_bridge.migrate.runner.readiness import require_applied

__all__ = [
    "Plan",
    "PlannedStep",
    "Touched",
    "get_migration_history",
    "get_migration_status",
    "require_applied",
    "run_migrations",
]
