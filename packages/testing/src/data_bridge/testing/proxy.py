"""A TCP proxy in front of a server, whose settings may change while connections go through it."""

from data_bridge.testing.faults.proxy import Proxy, proxied

__all__ = ["Proxy", "proxied"]
