"""The command line `data-bridge migrate`."""

from data_bridge.migrate.command.dispatch import main

__all__ = ["main"]
