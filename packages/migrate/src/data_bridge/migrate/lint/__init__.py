"""Lints migrations, and reads the comments that suppress findings."""
