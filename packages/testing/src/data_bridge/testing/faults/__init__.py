"""What hurts a server or a connection on purpose: a proxy, a server of a test's own."""
