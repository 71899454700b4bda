"""Operators for update(): Set, Inc, Mul, Min, Max, Push, Pull, Unset, CurrentDate."""

from data_bridge.orm.persistence.operators import CurrentDate, Inc, Max, Min, Mul, Pull, Push, Set, Unset

__all__ = ["CurrentDate", "Inc", "Max", "Min", "Mul", "Pull", "Push", "Set", "Unset"]
