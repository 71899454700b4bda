"""data-bridge in FastAPI and Starlette applications; needs the extra `data-bridge-orm[fastapi]`.

>>> from fastapi import FastAPI
>>> from pydantic import BaseModel
>>> from data_bridge.postgres import Col, IdMixin
>>> from data_bridge.postgres.fastapi import Tx, add_exception_handlers, lifespan
>>> class User(IdMixin):
...     name: Col[str]
>>> class NewUser(BaseModel):
...     name: str
>>> app = FastAPI(lifespan=lifespan("postgresql://localhost/shop"))
>>> add_exception_handlers(app)
>>> @app.post("/users", status_code=201)
... async def create(body: NewUser, tx: Tx) -> User:
...     return await User.create(**body.model_dump())
"""

from importlib.util import find_spec

if find_spec("fastapi") is None:  # pragma: no cover - the tests have it
    raise ImportError("data_bridge.postgres.fastapi needs FastAPI: pip install 'data-bridge-orm[fastapi]'")

from data_bridge.postgres.asgi import CancelOnDisconnect, Problem, TransactionMiddleware, problem_of
from data_bridge.postgres.fastapi.handlers import add_exception_handlers
from data_bridge.postgres.fastapi.lifespan import lifespan
from data_bridge.postgres.fastapi.paging import CursorPaging, CursorParams, NumberPaging, NumberParams
from data_bridge.postgres.fastapi.streaming import csv_response, ndjson_response
from data_bridge.postgres.fastapi.transaction import Tx, transaction, transactional

__all__ = [
    "CancelOnDisconnect",
    "CursorPaging",
    "CursorParams",
    "NumberPaging",
    "NumberParams",
    "Problem",
    "TransactionMiddleware",
    "Tx",
    "add_exception_handlers",
    "csv_response",
    "lifespan",
    "ndjson_response",
    "problem_of",
    "transaction",
    "transactional",
]
