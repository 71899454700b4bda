"""Data frames: results as columns of Arrow, and columns of Arrow into tables."""
