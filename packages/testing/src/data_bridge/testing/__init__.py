"""data_bridge.testing: a real PostgreSQL for every test, rolled back afterwards."""

from data_bridge.core import require
from data_bridge.testing.assertions.explain import explain_guard
from data_bridge.testing.assertions.queries import assert_no_n_plus_one, assert_queries, assert_sql
from data_bridge.testing.assertions.query_log import Query, QueryLog, capture_sql
from data_bridge.testing.assertions.tenants import assert_tenant_isolation
from data_bridge.testing.data import Factory, SubFactory, Trait, rows
from data_bridge.testing.databases.committed import TestDatabase
from data_bridge.testing.errors import ConfigurationError, ServerError
from data_bridge.testing.faults.test_server import TestServer
from data_bridge.testing.sandbox import Notification, Sandbox
from data_bridge.testing.server import EmbeddedCluster, EmbeddedServer

require(ir=1, features=set())

__all__ = [
    "ConfigurationError",
    "EmbeddedCluster",
    "EmbeddedServer",
    "Factory",
    "Notification",
    "Query",
    "QueryLog",
    "Sandbox",
    "ServerError",
    "SubFactory",
    "TestDatabase",
    "TestServer",
    "Trait",
    "assert_no_n_plus_one",
    "assert_queries",
    "assert_sql",
    "assert_tenant_isolation",
    "capture_sql",
    "explain_guard",
    "rows",
]
