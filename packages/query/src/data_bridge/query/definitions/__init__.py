"""Tables, columns, indexes and constraints as frozen values.

Nothing here is imported from outside of the package: the public names are those of data_bridge.query.
"""
