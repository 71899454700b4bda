"""Values of PostgreSQL that Python has no type for."""
