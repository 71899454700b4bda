"""Names in SQL text: quoted by the core, which is the only writer of identifiers and literals."""

from __future__ import annotations

from data_bridge.core._native import quote_identifier, quote_literal

__all__ = ["quote_identifier", "quote_literal", "quote_path"]

_LONGEST = 63


def quote_path(name: str) -> str:
    """A name as statements write it, perhaps with a schema before it; the server cuts what is longer than 63 bytes.

    >>> quote_path("shop.orders"), quote_path('a"b')
    ('"shop"."orders"', '"a""b"')
    """
    return ".".join(quote_identifier(part.encode()[:_LONGEST].decode(errors="ignore")) for part in name.split("."))
