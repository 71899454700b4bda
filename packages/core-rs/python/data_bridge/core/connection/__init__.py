"""What runs statements: databases, raw SQL, streams, COPY, LISTEN, observers."""
