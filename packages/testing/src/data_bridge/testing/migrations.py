"""Ready-made tests of migrations. One line in a test file is enough:

    from data_bridge.testing.migrations import *

They use the fixture `migrations`, which returns a folder or a list; its default is what `run_migrations()` would take:
the configured folder, or the migrations that are imported.
"""

from data_bridge.testing.assertions.migrations import (
    migrations,
    test_migrations_apply,
    test_migrations_have_one_head,
    test_migrations_undo_and_redo_alike,
    test_migrations_undo_everything,
    test_models_match_migrations,
)

__all__ = [
    "migrations",
    "test_migrations_apply",
    "test_migrations_have_one_head",
    "test_migrations_undo_and_redo_alike",
    "test_migrations_undo_everything",
    "test_models_match_migrations",
]
