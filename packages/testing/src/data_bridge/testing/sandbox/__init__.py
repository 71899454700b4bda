"""The sandbox of a test: emulated transactions on one connection that is rolled back."""

from data_bridge.testing.sandbox.executor import Sandbox
from data_bridge.testing.sandbox.isolated import IsolatedSandbox
from data_bridge.testing.sandbox.notification import Notification
from data_bridge.testing.sandbox.sandbox_pool import SandboxPool

__all__ = ["IsolatedSandbox", "Notification", "Sandbox", "SandboxPool"]
