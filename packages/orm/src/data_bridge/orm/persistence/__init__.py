"""Rows written: one at a time, many at once, and what is known of them while a statement is on its way.

Nothing here is imported from outside of the package: the public names are those of data_bridge.orm.
"""
