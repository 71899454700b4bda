"""Reads on replicas: which server a statement goes to, and what a reader of its own writes may see."""
