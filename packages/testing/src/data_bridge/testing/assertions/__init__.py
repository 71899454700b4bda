"""Assertions on the SQL that ran, on plans and on migrations."""

from data_bridge.testing.assertions.explain import explain_guard
from data_bridge.testing.assertions.queries import assert_no_n_plus_one, assert_queries, assert_sql
from data_bridge.testing.assertions.query_log import Query, QueryLog, capture_sql
from data_bridge.testing.assertions.tenants import assert_tenant_isolation

__all__ = [
    "Query",
    "QueryLog",
    "assert_no_n_plus_one",
    "assert_queries",
    "assert_sql",
    "assert_tenant_isolation",
    "capture_sql",
    "explain_guard",
]
