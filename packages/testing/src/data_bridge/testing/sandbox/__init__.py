"""The sandbox of a test: emulated transactions on one connection that is rolled back."""

from .executor import Sandbox
from .home import SandboxHome
from .notification import Notification

__all__ = ["Notification", "Sandbox", "SandboxHome"]
