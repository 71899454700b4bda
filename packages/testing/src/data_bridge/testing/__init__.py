"""data_bridge.testing: a real PostgreSQL for every test, rolled back afterwards."""

from data_bridge.core import require

from .assertions import assert_no_n_plus_one, assert_queries, assert_sql
from .data import Factory, SubFactory, Trait, rows
from .embedded import EmbeddedServer
from .errors import ConfigurationError, ServerError
from .explain import explain_guard
from .hurt import TestServer
from .querylog import Query, QueryLog, capture_sql
from .sandbox import Notification, Sandbox
from .testdatabase import TestDatabase

require(ir=1, features=set())

__all__ = [
    "ConfigurationError",
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
    "capture_sql",
    "explain_guard",
    "rows",
]
