"""Relations on classes and instances: paths in filters, references, collections, and how their rows are loaded.

Nothing here is imported from outside of the package: the public names are those of data_bridge.orm.
"""
