"""URLs as SQLAlchemy spells them."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

__all__ = ["sqlalchemy_url"]


def sqlalchemy_url(dsn: str, driver: str) -> str:
    """`postgresql+driver://…` for the URL of a database.

    >>> sqlalchemy_url("postgresql://ann@localhost:5432/shop", "asyncpg")
    'postgresql+asyncpg://ann@localhost:5432/shop'
    """
    return urlunsplit(urlsplit(dsn)._replace(scheme=f"postgresql+{driver}"))
