"""Blocking code on the same tables: scripts, threads, Celery tasks, Django views, notebooks.

`run()` waits for what an `await` would wait for, so that every method of a Table and of a query works, with the same types.

>>> from data_bridge.postgres import Col, IdMixin, create_all
>>> from data_bridge.postgres.sync import close, init, pg_transaction, run
>>> class User(IdMixin):
...     name: Col[str]
>>> _ = init("embedded:")  # or postgresql://user:password@host/database
>>> run(create_all(User))
>>> with pg_transaction():
...     user = run(User.create(name="Ann"))
...     _ = run(user.update(name="Anna"))
>>> run(User.get(user.id)).name
'Anna'
>>> close()
"""

from data_bridge.postgres.sync.connecting import close, init, run_migrations
from data_bridge.postgres.sync.running import iterate, run
from data_bridge.postgres.sync.transactions import BlockingTransaction, pg_transaction

__all__ = ["BlockingTransaction", "close", "init", "iterate", "pg_transaction", "run", "run_migrations"]
