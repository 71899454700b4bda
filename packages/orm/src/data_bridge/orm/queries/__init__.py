"""QueryBuilder: which rows, in which order and shape, one by one or in pages, and mass UPDATE and DELETE.

Nothing here is imported from outside of the package: the public names are those of data_bridge.orm.
"""
