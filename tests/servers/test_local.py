"""On the PostgreSQL that this machine has: the oldest version that the project is used with."""

from __future__ import annotations

import pytest

from data_bridge import core
from data_bridge.testing import EmbeddedServer

pytestmark = pytest.mark.servers


async def test_the_local_server_has_what_the_wheels_lack() -> None:
    with EmbeddedServer(provider="local") as server:
        assert int(server.version.split(".")[0]) >= 14
        async with core.Database(server.dsn) as db:
            await db.execute('CREATE EXTENSION IF NOT EXISTS "uuid-ossp"')
            assert await db.fetch_val("SELECT length(uuid_generate_v4()::text)") == 36
            assert await db.fetch_val("""SELECT 'straße' = 'STRASSE' COLLATE "de-x-icu" """) is False
            assert await db.fetch_val("SELECT xpath_exists('/a', '<a/>'::xml)") is True
