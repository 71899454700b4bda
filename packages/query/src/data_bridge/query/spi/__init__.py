"""What the packages above build on, beside the public names: data-bridge-orm and data-bridge-migrate import it, applications do not.

It may change with any release of data-bridge-query; the versions that fit together are in the metadata of the packages.
"""

from ..ddl.nodes import constraint_name, named, path_of
from ..expressions.document_keys import key_text
from ..expressions.document_path import RESERVED
from ..expressions.document_update import appended, place_of, removed, with_parts
from ..expressions.expr import Built
from ..expressions.functions import PICKS
from ..expressions.key_sets import among, unnested
from ..expressions.origins import source_of_column, sources_in
from ..expressions.sources import Columns as SourceColumns
from ..expressions.sources import QuerySource, Source
from ..expressions.truth import filters_rows
from ..statements.base import cte_of
from ..statements.disambiguation import apart
from ..statements.dml_base import refuse_view
from ..statements.inlining import inlined
from ..statements.joins import How
from ..statements.results import EMPTY, Columns, columns_of
from ..statements.table import sampled
from ..types.convert import to_timestamptz
from ..types.sql_types import IntegerSum
from . import build, clauses, read, table_names
from .clauses import derived_from

__all__ = [
    "EMPTY",
    "PICKS",
    "RESERVED",
    "Built",
    "Columns",
    "How",
    "IntegerSum",
    "QuerySource",
    "Source",
    "SourceColumns",
    "among",
    "apart",
    "appended",
    "build",
    "clauses",
    "columns_of",
    "constraint_name",
    "cte_of",
    "derived_from",
    "filters_rows",
    "inlined",
    "key_text",
    "named",
    "path_of",
    "place_of",
    "read",
    "refuse_view",
    "removed",
    "sampled",
    "source_of_column",
    "sources_in",
    "table_names",
    "to_timestamptz",
    "unnested",
    "with_parts",
]
