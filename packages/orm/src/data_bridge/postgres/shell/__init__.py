"""`data-bridge shell`: Python with the classes of a project and an open database."""
