"""What hurts a server or a connection on purpose: a proxy, a server of a test's own."""

from data_bridge.testing.faults.proxy import Proxy, proxied
from data_bridge.testing.faults.test_server import TestServer

__all__ = ["Proxy", "TestServer", "proxied"]
