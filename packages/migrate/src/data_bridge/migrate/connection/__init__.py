"""The session in which migrations run, and the lock that keeps other runners out."""

from data_bridge.migrate.connection.session import RunnerConnection

__all__ = ["RunnerConnection"]
