"""Every message of the program, found in its source: what it says, why, and what to do."""

from __future__ import annotations

import ast
import re
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "bec_md"
ERRORS = ("UsageError", "DataError")


def messages() -> dict[str, list[tuple[str, str, str]]]:
    """Return what, why and remedy of every error, by the room that raises it; changing parts stand as …."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if errors := errors_of(ast.parse(path.read_text(encoding="utf-8"))):
            found.setdefault(room, []).extend(errors)
    return found


def errors_of(tree: ast.AST) -> list[tuple[str, str, str]]:
    """Return what, why and remedy of every error of a module."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and name_of(node) in ERRORS and len(node.args) >= 3:
            what, why, remedy = (text_of(argument) for argument in node.args[:3])
            if len(re.sub(r"[^a-zA-Z]", "", what + why)) > 6:
                found.append((what, why, remedy))
    return found


def name_of(node: ast.Call) -> str:
    """Return the name of what is called."""
    return node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")


def text_of(node: ast.AST) -> str:
    """Return a text with … for what is known only when it is said; both branches of a choice."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        text = "".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
        return re.sub(r"…( …)*", "…", text)
    if isinstance(node, ast.IfExp):
        return " / ".join(dict.fromkeys((text_of(node.body), text_of(node.orelse))))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return text_of(node.left) + text_of(node.right)
    return "…"


def messages_page() -> str:
    """Return the list as reStructuredText."""
    lines: list[str] = []
    for room, entries in messages().items():
        lines += [room, "-" * len(room), ""]
        for what, why, remedy in sorted(set(entries)):
            lines += [_line(what), f"    *Why:* {_line(why)}", "", f"    *What to do:* {_line(remedy)}", ""]
    return "\n".join(lines)


def _line(text: str) -> str:
    escaped = re.sub(r"([\\*`|_<>])", r"\\\1", " ".join(text.split()))
    return escaped if not escaped.startswith(("-", "+", "(")) else "\\" + escaped
