"""What the fixtures put around the connections of a test: who holds one, a pool that tracks, errors on demand."""
