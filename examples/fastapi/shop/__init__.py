"""A small shop on FastAPI and data-bridge."""
