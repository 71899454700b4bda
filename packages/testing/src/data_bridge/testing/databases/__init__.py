"""The server of a run, and the databases that tests get on it: templates, clones, resets."""

from data_bridge.testing.databases.committed import TestDatabase
from data_bridge.testing.databases.databases import Databases
from data_bridge.testing.databases.run_server import give_up, hand_to_worker, source_of
from data_bridge.testing.databases.source import EmbeddedSource, Session, Source, describe
from data_bridge.testing.databases.template import Content, Template, ensure_template
from data_bridge.testing.databases.template_builder import build_schema, imported_models

__all__ = [
    "Content",
    "Databases",
    "EmbeddedSource",
    "Session",
    "Source",
    "Template",
    "TestDatabase",
    "build_schema",
    "describe",
    "ensure_template",
    "give_up",
    "hand_to_worker",
    "imported_models",
    "source_of",
]
