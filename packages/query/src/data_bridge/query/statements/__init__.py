"""Statements: SELECT and set operations, INSERT, UPDATE, DELETE, MERGE.

Nothing here is imported from outside of the package: the public names are those of data_bridge.query.
"""
