"""The session in which migrations run, and the lock that keeps other runners out."""
