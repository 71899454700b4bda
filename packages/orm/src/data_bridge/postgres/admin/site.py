"""The admin site."""

from __future__ import annotations

from starlette_admin.base import BaseAdmin

__all__ = ["Admin"]


class Admin(BaseAdmin):
    """A site of admin pages: `BaseAdmin` of starlette-admin, whose arguments it takes; authentication is that of starlette-admin."""
