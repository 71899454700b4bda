"""What the fixtures put around the connections of a test: who holds one, a pool that tracks, errors on demand."""

from data_bridge.testing.connections.injected_errors import Faults
from data_bridge.testing.connections.leaks import Hold, Watch
from data_bridge.testing.connections.tracked_pool import TrackedPool

__all__ = ["Faults", "Hold", "TrackedPool", "Watch"]
