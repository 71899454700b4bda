"""Tables in the admin pages of starlette-admin; needs the extra `data-bridge-orm[admin]`.

>>> from starlette.applications import Starlette
>>> from data_bridge.postgres import Col, IdMixin
>>> from data_bridge.postgres.admin import Admin, ModelView
>>> class Product(IdMixin):
...     name: Col[str]
>>> admin = Admin(title="Shop", secret_key="32 bytes or more, kept outside of the code")
>>> admin.add_view(ModelView(Product))
>>> app = Starlette()
>>> admin.mount_to(app)
"""

from importlib.util import find_spec

if find_spec("starlette_admin") is None:  # pragma: no cover - the tests have it
    raise ImportError("data_bridge.postgres.admin needs starlette-admin: pip install 'data-bridge-orm[admin]'")

from data_bridge.postgres.admin.site import Admin
from data_bridge.postgres.admin.view import ModelView

__all__ = ["Admin", "ModelView"]
