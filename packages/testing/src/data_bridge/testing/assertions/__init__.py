"""Assertions on the SQL that ran, on plans and on migrations."""
