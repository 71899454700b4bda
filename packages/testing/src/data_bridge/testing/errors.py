"""What the embedded server and the fixtures raise."""

from __future__ import annotations

from data_bridge.core import ConfigurationError as CoreConfigurationError
from data_bridge.core import DataBridgeError

__all__ = ["ConfigurationError", "ServerError"]


class ConfigurationError(CoreConfigurationError):
    """A setting cannot work; the hint says what to change."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message if hint is None else f"{message}\nhint: {hint}")
        self.hint = hint


class ServerError(DataBridgeError, RuntimeError):
    """An embedded server did not start, or did not do what it was told; the text ends with its log."""
