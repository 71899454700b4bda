"""Expressions and what FROM takes: where `User.age > 25` becomes a structure and its parameters.

Nothing here is imported from outside of the package: the public names are those of data_bridge.query.
"""
