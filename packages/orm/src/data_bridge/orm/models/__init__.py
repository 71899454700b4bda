"""Table itself: its metaclass, its instances, what runs around their writes, and what can be inherited.

Nothing here is imported from outside of the package: the public names are those of data_bridge.orm.
"""
