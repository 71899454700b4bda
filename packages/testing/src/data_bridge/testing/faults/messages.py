"""Where the messages of a server end in its stream of bytes (PostgreSQL manual, "Message Flow")."""

from __future__ import annotations

import struct

__all__ = ["ServerMessages"]

ASKS_FOR_ENCRYPTION = {80877103, 80877104}
"""SSLRequest and GSSENCRequest, which the server answers with one byte and no message."""
HEAD = 5


class ServerMessages:
    """Finds the ends of a server's messages while they pass. Encrypted ones cannot be told apart: they count as none.

    >>> messages = ServerMessages()
    >>> messages.ends(b"Z" + (5).to_bytes(4, "big") + b"I" + b"1")
    [6]
    """

    def __init__(self) -> None:
        self._head = b""
        self._missing = 0
        self._asked = False
        self._begun = False
        self._encrypted = False

    def heard_client(self, data: bytes) -> None:
        """What the client says first decides how the server answers."""
        if self._begun or len(data) < 8:
            return
        if struct.unpack("!i", data[4:8])[0] in ASKS_FOR_ENCRYPTION:
            self._asked = True
        else:
            self._begun = True

    def ends(self, data: bytes) -> list[int]:
        """Offsets in `data` behind which a message ends."""
        at = 0
        found: list[int] = []
        while at < len(data) and not self._encrypted:
            if self._asked:
                self._asked = False
                self._encrypted = data[at : at + 1] != b"N"
                at += 1
                continue
            if self._missing == 0:
                part = data[at : at + HEAD - len(self._head)]
                self._head += part
                at += len(part)
                if len(self._head) < HEAD:
                    break
                self._missing = struct.unpack("!i", self._head[1:])[0] - 4
                self._head = b""
            else:
                step = min(self._missing, len(data) - at)
                self._missing -= step
                at += step
            if self._missing == 0:
                found.append(at)
        return found
