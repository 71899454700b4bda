"""data-bridge-orm alone: the whole façade, with every sibling it needs and without the testing package."""

import importlib.util

from data_bridge.postgres import Column, Migration, Table, pg_transaction, run_migrations


class User(Table):
    id: int = Column(primary_key=True, auto_increment=True)
    age: int


compiled = User.find(User.age > 25).order_by(-User.age).limit(3).sql()
assert "WHERE" in compiled.sql
assert compiled.params == (25, 3)
assert importlib.util.find_spec("pytest") is None
assert importlib.util.find_spec("data_bridge.testing") is None
assert all((Migration, pg_transaction, run_migrations))
print(f"orm alone: {compiled.sql}")
