"""What a Table class says of its table: annotations, columns, relations, settings, and the entity that knows them all.

Nothing here is imported from outside of the package: the public names are those of data_bridge.orm.
"""
