"""The history table: what is applied, what is pending, and how to correct it."""
