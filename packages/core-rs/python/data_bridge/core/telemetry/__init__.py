"""What observers do with statements: the log, SQL on the terminal, plans of slow statements, metrics."""
