"""The options that COPY has for CSV."""

from __future__ import annotations

from data_bridge.core._native import quote_literal
from data_bridge.core.errors import ConfigurationError


def csv_options(*, header: bool, delimiter: str, null: str) -> str:
    """The options of a COPY in CSV.

    Raises:
        ConfigurationError: a delimiter that is not one ASCII character, or a text for NULL with a delimiter, a quote or a
            newline in it.

    >>> csv_options(header=True, delimiter=";", null="")
    "FORMAT csv, HEADER true, DELIMITER ';', NULL ''"
    """
    if len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n\0':
        raise ConfigurationError(
            f"delimiter={delimiter!r} is not one ASCII character that is neither a quote nor a newline"
        )
    if any(character in null for character in (delimiter, '"', "\r", "\n", "\0")):
        raise ConfigurationError(f"null={null!r} has a delimiter, a quote or a newline in it")
    said = "true" if header else "false"
    return f"FORMAT csv, HEADER {said}, DELIMITER {quote_literal(delimiter)}, NULL {quote_literal(null)}"
