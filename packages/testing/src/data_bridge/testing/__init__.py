"""data_bridge.testing: a real PostgreSQL for every test, rolled back afterwards."""

from .embedded import EmbeddedServer
from .errors import ConfigurationError, ServerError

__all__ = ["ConfigurationError", "EmbeddedServer", "ServerError"]
