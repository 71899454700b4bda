"""The embedded PostgreSQL: discovery of programs, data folders, the keeper process and the server object."""

from .server import EmbeddedServer
from .supplier import Supplier, find_supplier, suppliers

__all__ = ["EmbeddedServer", "Supplier", "find_supplier", "suppliers"]
