"""What the packages above build on, beside the public names: data-bridge-orm and data-bridge-migrate import it, applications do not.

It may change with any release of data-bridge-query; the versions that fit together are in the metadata of the packages.
"""

from .ddl.nodes import constraint_name, named, path_of
from .types.sql_types import IntegerSum

__all__ = ["IntegerSum", "constraint_name", "named", "path_of"]
