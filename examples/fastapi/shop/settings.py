"""Settings from the environment: `SHOP_DATABASE`, `SHOP_TOKEN`, `SHOP_MAX_CONNECTIONS`."""

import os
from dataclasses import dataclass, field
from pathlib import Path

MIGRATIONS = Path(__file__).parent.parent / "migrations"


@dataclass(frozen=True)
class Settings:
    database: str = field(default_factory=lambda: os.environ.get("SHOP_DATABASE", "embedded:"))
    token: str = field(default_factory=lambda: os.environ.get("SHOP_TOKEN", "let-me-in"), repr=False)
    max_connections: int = field(default_factory=lambda: int(os.environ.get("SHOP_MAX_CONNECTIONS", "10")))
