"""The reference of the Python interface: one page per room, with every public name."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "bec_md"
#: Bases whose own members are described elsewhere.
FOREIGN = "BaseModel,Calculator,Maker,MSONable"


def public_rooms() -> list[str]:
    """Return all packages that declare public names, the top first."""
    found = []
    for path in sorted(PACKAGE.rglob("__init__.py")):
        name = ".".join(path.relative_to(PACKAGE.parent).parent.parts)
        if name != "bec_md" and "__all__" in path.read_text(encoding="utf-8") and name.count(".") == 1:
            found.append(name)
    return found


def api_pages() -> dict[str, str]:
    """Return reStructuredText of every room by its name; what two rooms export is described in the first."""
    described: dict[int, str] = {}
    return {name.removeprefix("bec_md."): _page(name, described) for name in public_rooms()}


def parts_of_a_current() -> list[str]:
    """Return what a current is made of: its parameters, and the table of its fields."""
    from bec_md.current.fields import FIELDS

    text = [".. autoclass:: bec_md.current.fields.CurrentData", "   :no-members:", ""]
    text += ["Fields, with T frames, G groups of atoms and M members of the network:", ""]
    text += [
        ".. list-table::",
        "   :header-rows: 1",
        "",
        "   * - name",
        "     - shape",
        "     - unit",
        "     - meaning",
    ]
    for field in FIELDS.values():
        shape = "(" + ", ".join(map(str, ("T", *field.row_shape))) + ")"
        text += [
            f"   * - ``{field.name}``",
            f"     - {shape}",
            f"     - {field.unit}",
            f"     - {field.meaning}",
        ]
    return [*text, ""]


def _page(name: str, described: dict[int, str]) -> str:
    module = import_module(name)
    text = [name, "=" * len(name), "", f".. automodule:: {name}", "   :no-members:", ""]
    for item in sorted(module.__all__, key=lambda word: (not word[0].isupper(), word)):
        value = getattr(module, item)
        place = described.setdefault(id(value), f"{name}.{item}")
        role = "class" if isinstance(value, type) else "func"
        if place != f"{name}.{item}":
            text += [f"``{item}``: see :py:{role}:`{place}`.", ""]
        elif isinstance(value, type):
            text += [f".. autoclass:: {place}", "   :members:", f"   :inherited-members: {FOREIGN}", ""]
            text += parts_of_a_current() if item == "CurrentSeries" else []
        elif callable(value):
            text += [f".. autofunction:: {place}", ""]
        else:
            text += [f".. autodata:: {place}", "   :no-value:", ""]
    return "\n".join(text)
