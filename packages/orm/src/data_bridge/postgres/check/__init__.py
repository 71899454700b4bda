"""`data-bridge check`: what is wrong or will go wrong with a database, and where the classes differ from it."""
