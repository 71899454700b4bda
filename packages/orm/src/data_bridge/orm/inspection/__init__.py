"""`data-bridge inspect`: Table classes from the tables of a database."""
