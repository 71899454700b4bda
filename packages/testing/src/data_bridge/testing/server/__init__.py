"""The embedded PostgreSQL: discovery of programs, data folders, the supervisor process and the server object."""

from data_bridge.testing.server.embedded_cluster import EmbeddedCluster
from data_bridge.testing.server.programs import Supplier, find_supplier, suppliers
from data_bridge.testing.server.server import EmbeddedServer

__all__ = ["EmbeddedCluster", "EmbeddedServer", "Supplier", "find_supplier", "suppliers"]
