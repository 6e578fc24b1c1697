"""The command reference: one page per command, with every option under its name."""

from __future__ import annotations

import inspect
from collections import defaultdict
from typing import Any, get_args


def command_pages() -> dict[str, str]:
    """Return reStructuredText of every visible command by its name, in the order of the program's help."""
    from typer.main import get_command

    from bec_md.cli.app import app

    return dict(_walk(get_command(app), ()))


def _walk(group: Any, above: tuple[str, ...]) -> list[tuple[str, str]]:
    pages: list[tuple[str, str]] = []
    for name, command in group.commands.items():
        if command.hidden:
            continue
        path = (*above, name)
        if getattr(command, "commands", None):
            pages += _walk(command, path)
        else:
            pages.append(("-".join(path), _page(" ".join(("bec-md", *path)), command)))
    return pages


def _page(name: str, command: Any) -> str:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and not getattr(p, "hidden", False)]
    words = " ".join(_metavar(p) for p in arguments)
    text = [
        name,
        "=" * len(name),
        "",
        _rst(inspect.cleandoc(command.help or "")),
        "",
        f".. program:: {name}",
        "",
    ]
    text += ["::", "", f"    {name} [OPTIONS] {words}".rstrip(), ""]
    for parameter in arguments:
        text += [f"``{_metavar(parameter)}``", f"    {_rst(parameter.help or '')}", ""]
    panels: dict[str, list[Any]] = defaultdict(list)
    for parameter in options:
        panels[getattr(parameter, "rich_help_panel", None) or "Options"].append(parameter)
    for panel, members in panels.items():
        text += [panel, "-" * len(panel), ""]
        for parameter in members:
            text += _option(parameter)
    return "\n".join(text)


def _option(parameter: Any) -> list[str]:
    metavar = _metavar(parameter)
    names = ", ".join(f"{name} {metavar}".strip() for name in parameter.opts if not parameter.is_flag)
    if parameter.is_flag:
        names = ", ".join([*parameter.opts, *parameter.secondary_opts])
    said = _rst(parameter.help or "")
    default = _default(parameter)
    return [f".. option:: {names}", "", f"    {said}{default}", ""]


def _default(parameter: Any) -> str:
    shown = parameter.show_default
    if isinstance(shown, str):
        return f" Default: {_rst(shown)}."
    value = parameter.default
    if not shown or value is None or value is False or value == ():
        return ""
    return f" Default: ``{value}``."


def _metavar(parameter: Any) -> str:
    """Return what stands for the value: the name given, or the choices."""
    if parameter.metavar:
        return str(parameter.metavar)
    if getattr(parameter, "is_flag", False):
        return ""
    described = getattr(parameter, "type_descriptor", None)
    choices = get_args(getattr(described, "annotation", None))
    if choices:
        return "|".join(str(choice) for choice in choices)
    return str(parameter.name).upper()


def _rst(text: str) -> str:
    """Escape what reStructuredText would read as markup."""
    return (
        text.replace("\\", "\\\\")
        .replace("*", "\\*")
        .replace("`", "\\`")
        .replace("|", "\\|")
        .replace("_", "\\_")
    )
