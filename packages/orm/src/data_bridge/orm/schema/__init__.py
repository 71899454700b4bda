"""Tables made from classes, and the differences between a class and its table.

Nothing here is imported from outside of the package: the public names are those of data_bridge.orm.
"""
