"""Transactions, savepoints, and the order in which tasks use their connection."""
