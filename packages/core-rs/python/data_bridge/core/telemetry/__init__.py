"""What observers do with statements: the log, SQL on the terminal, plans of slow statements, metrics."""

import logging

__all__ = ["POOL", "SLOW", "STATEMENTS"]

STATEMENTS = logging.getLogger("data_bridge.sql")
"""Every statement, at DEBUG."""
SLOW = logging.getLogger("data_bridge.slow")
"""Slow statements and their plans, at WARNING."""
POOL = logging.getLogger("data_bridge.pool")
"""Connections, and waits for them."""
