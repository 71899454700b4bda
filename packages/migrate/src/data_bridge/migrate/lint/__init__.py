"""Lints migrations, and reads the comments that suppress findings."""

from data_bridge.migrate.lint.linter import LintReport, lint_migrations

__all__ = ["LintReport", "lint_migrations"]
