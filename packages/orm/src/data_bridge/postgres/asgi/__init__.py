"""data-bridge in ASGI applications of any framework: transactions, disconnects, problem details, routes, replicas.

`data_bridge.postgres.fastapi` builds on it. Nothing here imports a framework.
"""

from data_bridge.postgres.asgi.comments import RouteComments
from data_bridge.postgres.asgi.disconnect import CancelOnDisconnect
from data_bridge.postgres.asgi.problem import Problem, problem_of
from data_bridge.postgres.asgi.read_your_writes import ReadYourWrites
from data_bridge.postgres.asgi.transaction import TransactionMiddleware

__all__ = ["CancelOnDisconnect", "Problem", "ReadYourWrites", "RouteComments", "TransactionMiddleware", "problem_of"]
