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
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or len(node.args) < 3:
                continue
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            parts = [_text(argument) for argument in node.args[:3]]
            if name in ERRORS and _says_something(parts[0]):
                found.setdefault(room, []).append((parts[0], parts[1], parts[2]))
    return found


def _text(node: ast.expr) -> str:
    """Return a text with … for what is known only when it is said; both branches of a choice."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        text = "".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
        return re.sub(r"…( …)*", "…", text)
    if isinstance(node, ast.IfExp):
        return " / ".join(dict.fromkeys((_text(node.body), _text(node.orelse))))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _text(node.left) + _text(node.right)
    return "…"


def _says_something(text: str) -> bool:
    return len(re.sub(r"[^a-zA-Z]", "", text)) > 6


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
