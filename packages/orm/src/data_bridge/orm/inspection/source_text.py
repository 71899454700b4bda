"""The text of a module with classes."""

from __future__ import annotations

from collections.abc import Sequence

from data_bridge.orm.inspection.column_types import quoted
from data_bridge.orm.inspection.table_class import EnumClass, FieldLine, TableClass

__all__ = ["module_text"]

_WIDTH = 100


def module_text(title: str, enums: Sequence[EnumClass], classes: Sequence[TableClass]) -> str:
    """A module that can be imported; the same classes have the same text."""
    imports = {("data_bridge.postgres", "Col"), ("data_bridge.postgres", "Column"), ("data_bridge.postgres", "Table")}
    for made in classes:
        imports |= made.imports
    if enums:
        imports.add(("enum", "Enum"))
    parts = [f'"""{title}"""', "from __future__ import annotations", _imports(imports)]
    parts += ["\n" + _enum(enum) for enum in enums]
    parts += ["\n" + _class(made) for made in classes]
    return "\n\n".join(parts) + "\n"


def _imports(names: set[tuple[str, str]]) -> str:
    by_module: dict[str, list[str]] = {}
    for module, name in sorted(names, key=lambda n: (n[0], n[1].upper() != n[1], n[1].lower() == n[1], n[1])):
        by_module.setdefault(module, []).append(name)
    lines: list[str] = []
    for module in sorted(by_module, key=lambda m: (m.startswith("data_bridge"), m)):
        line = f"from {module} import {', '.join(by_module[module])}"
        if len(line) > _WIDTH:
            line = f"from {module} import (\n" + "".join(f"    {n},\n" for n in by_module[module]) + ")"
        if module.startswith("data_bridge") and lines:
            line = "\n" + line
        lines.append(line)
    return "\n".join(lines)


def _enum(enum: EnumClass) -> str:
    lines = [f"class {enum.name}(Enum):", f'    """The type {enum.type_name}."""', ""]
    return "\n".join([*lines, *(f"    {name} = {quoted(label)}" for name, label in enum.members)])


def _class(made: TableClass) -> str:
    comment = (made.table.comment or "").strip()
    if comment and '"""' not in comment and "\\" not in comment:
        lines = comment.splitlines()
        text = "\n".join([lines[0], *(f"    {line}".rstrip() for line in lines[1:])])
        documented = f'    """{text}{" " if text.endswith(chr(34)) else ""}"""\n\n'
    else:
        documented = ""
    body = [_field(field) for field in made.fields]
    settings = _settings(made)
    notes = [f"    # Not said by this class: {unsaid}." for unsaid in made.unsaid]
    return f"class {made.name}(Table):\n{documented}" + "\n".join(
        [*([settings + "\n"] if settings else []), *notes, *body]
    )


def _settings(made: TableClass) -> str:
    lines = [f"        {key} = {value}" for key, value in made.settings.items()]
    for key, items in (("constraints", made.constraints), ("indexes", made.indexes)):
        if items:
            lines += [f"        {key} = [", *(f"            {item}," for item in items), "        ]"]
    return "\n".join(["    class Settings:", *lines]) if lines else ""


def _field(field: FieldLine) -> str:
    head = f"    {field.name}: {field.annotation}"
    arguments = [f"{key}={value}" if key else value for key, value in field.arguments.items()]
    if field.call == "Column" and not arguments:
        return head
    if arguments == ["default=None"] and field.key is None:
        return f"{head} = None"
    line = f"{head} = {field.call}({', '.join(arguments)})"
    if len(line) <= _WIDTH:
        return line
    inside = "".join(f"        {argument},\n" for argument in arguments)
    return f"{head} = {field.call}(\n{inside}    )"
