"""Where migrations come from: classes, SQL files, folders."""

from data_bridge.migrate.sources.discovery import checksum, discover
from data_bridge.migrate.sources.migration import Migration

__all__ = ["Migration", "checksum", "discover"]
