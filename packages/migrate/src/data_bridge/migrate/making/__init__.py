"""Migrations that are written from models, and proved on a shadow database."""

from data_bridge.migrate.making.drift import Drift, find_drift
from data_bridge.migrate.making.new_migration import Made, MakeRequest, check, make
from data_bridge.migrate.making.proof import VerificationFailed, prove_history
from data_bridge.migrate.making.shadow import Shadow

__all__ = [
    "Drift",
    "Made",
    "MakeRequest",
    "Shadow",
    "VerificationFailed",
    "check",
    "find_drift",
    "make",
    "prove_history",
]
