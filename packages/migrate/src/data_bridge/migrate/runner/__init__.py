"""Runs migrations: what is pending, step by step, with recovery after an interruption."""
