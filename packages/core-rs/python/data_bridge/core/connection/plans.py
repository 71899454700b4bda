"""Load plans of raw SQL: what rows become."""

from __future__ import annotations

from data_bridge.core._native import LoadPlan

COUNT = LoadPlan.affected()
DICTS = LoadPlan.rows(dict)
TUPLES = LoadPlan.rows(tuple)
DICT = LoadPlan.rows(dict, many=False)
TUPLE = LoadPlan.rows(tuple, many=False)
VALUE = LoadPlan.scalars(many=False)
