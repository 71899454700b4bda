"""What a migration can do: the methods of `Migration`, each as steps with the steps that undo them."""

from data_bridge.migrate.operations.methods import Operations

__all__ = ["Operations"]
