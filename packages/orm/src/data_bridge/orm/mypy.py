"""The mypy plugin: list it in place of Pydantic's. Without a plugin, `Col[...]` is typed all the same.

It does what ``pydantic.mypy`` does, and two things more:

- Columns that a table inherits stay columns. Pydantic's plugin copies inherited fields as plain variables, after which
  ``User.created_at`` of a mixin would be a datetime on the class.
- The bare spelling is typed too: with ``age: int = Column()``, ``User.age`` is a ``ColumnProxy[int]`` on the class and
  ``User.find(User.age > 18, ~User.name.like("A%"))`` is checked.

.. code-block:: toml

    [tool.mypy]
    plugins = ["data_bridge.orm.mypy"]
"""

from __future__ import annotations

from collections.abc import Callable

from mypy.nodes import TypeInfo, Var
from mypy.plugin import AttributeContext, ClassDefContext, Plugin
from mypy.types import Instance, Type, get_proper_type
from pydantic.mypy import PydanticPlugin

__all__ = ["TablePlugin", "plugin"]

TABLE = "data_bridge.orm.models.table.Table"
PROXY = "data_bridge.query.expressions.column.ColumnProxy"


class TablePlugin(PydanticPlugin):
    """Pydantic's plugin, with columns on classes."""

    def get_base_class_hook(self, fullname: str) -> Callable[[ClassDefContext], None] | None:
        """Pydantic's hook, and afterwards the inherited descriptors again."""
        hook = super().get_base_class_hook(fullname)
        if hook is None:
            return None

        def made(context: ClassDefContext) -> None:
            info = context.cls.info
            own = set(info.names)
            hook(context)
            for name in info.names.keys() - own:
                if _is_descriptor(_inherited(info, name)):
                    del info.names[name]

        return made

    def get_class_attribute_hook(self, fullname: str) -> Callable[[AttributeContext], Type] | None:
        """Makes a plain field of a table a column where the class is asked for it."""
        cls, _, name = fullname.rpartition(".")
        symbol = self.lookup_fully_qualified(cls)
        if symbol is None or not isinstance(symbol.node, TypeInfo) or not symbol.node.has_base(TABLE):
            return super().get_class_attribute_hook(fullname)
        info = symbol.node
        node = info.get(name)
        if node is None or not isinstance(node.node, Var) or not _is_field(info, name, node.node):
            return super().get_class_attribute_hook(fullname)
        proxy = self.lookup_fully_qualified(PROXY)
        if proxy is None or not isinstance(proxy.node, TypeInfo):
            return super().get_class_attribute_hook(fullname)
        column = proxy.node

        def typed(context: AttributeContext) -> Type:
            if context.is_lvalue:
                return context.default_attr_type
            return Instance(column, [context.default_attr_type])

        return typed


def _inherited(info: TypeInfo, name: str) -> Var | None:
    for base in info.mro[1:]:
        symbol = base.names.get(name)
        if symbol is not None:
            return symbol.node if isinstance(symbol.node, Var) else None
    return None


def _is_descriptor(node: Var | None) -> bool:
    """Whether an attribute decides itself what class and instance give: Col, and relations."""
    if node is None or node.type is None:
        return False
    type_ = get_proper_type(node.type)
    return isinstance(type_, Instance) and type_.type.get("__get__") is not None


def _is_field(info: TypeInfo, name: str, node: Var) -> bool:
    if name.startswith(("_", "model_")) or node.is_classvar or node.is_property or node.type is None:
        return False
    home = node.info
    return not _is_descriptor(node) and home.has_base(TABLE) and home.fullname != TABLE


def plugin(version: str) -> type[Plugin]:
    """What mypy calls."""
    return TablePlugin
