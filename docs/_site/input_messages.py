"""Every sentence about the input that the program may print, found in its source.

python docs/_site/input_messages.py        (writes docs/reference/input_messages.md)
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "input_messages.md"
ERRORS = ("UsageError", "DataError")
#: Heading, and the modules that look at what the user gives.
ROOMS = {
    "Trajectories": ("trajectory",),
    "Structures and extended XYZ": ("structure",),
    "Logs, tables and stored currents": (
        "current/readers", "current/joined.py", "current/mobility.py", "current/rigidity.py",
        "current/prepare.py", "current/checks.py", "current/continuous.py",
    ),
    "Labels from first principles": (
        "training/vasp_output.py", "training/qe_output.py", "training/abinit_output.py",
        "training/collection.py", "training/labels.py", "training/theory.py",
    ),
    "Charges": ("charges",),
    "Modes and force constants": ("modes",),
    "Checks of a spectrum": ("spectrum/errors/quality_checks.py", "spectrum/statics.py"),
    "Measured spectra": ("compare",),
}  # fmt: skip
#: Regular expressions, sums over indices and keywords of formats are no sentences.
_CODE = re.compile(r"[\\^]|\(\?|->|^ITEM:")
HEAD = """# Every sentence about your input

What the program may say about files and runs, found in its source: `…` stands for numbers and names. Search
for the words that you see. [What is checked](../howto/input_checks.md) explains the frequent ones.

*Written by `python docs/_site/input_messages.py`; a test compares it with the source.*
"""


def modules(parts: tuple[str, ...]) -> Iterator[Path]:
    """Yield the files of some parts of the package."""
    for part in parts:
        path = ROOT / "bec_md" / part
        yield from sorted(path.rglob("*.py")) if path.is_dir() else [path]


def errors_of(tree: ast.AST) -> list[tuple[str, str, str]]:
    """Return what, why and remedy of every error of a module."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _name(node) in ERRORS and len(node.args) >= 3:
            what, why, remedy = (_text(argument) for argument in node.args[:3])
            if len(re.sub(r"[^a-zA-Z]", "", what + why)) > 6:
                found.append((what, why, remedy))
    return found


def notes_of(tree: ast.AST) -> list[str]:
    """Return every other sentence of a module: warnings, remarks, notes, advice of checks."""
    skipped = {id(node) for node in _not_printed(tree)}
    found: list[str] = []

    def visit(node: ast.AST) -> None:
        """Collect sentences below a node."""
        if id(node) in skipped:
            return
        if isinstance(node, ast.JoinedStr) or (
            isinstance(node, ast.Constant) and isinstance(node.value, str)
        ):
            text = _text(node)
            if len(re.findall(r"[A-Za-zα-ωΑ-Ω]{2,}", text)) >= 4 and not _CODE.search(text):
                found.append(text)
            return
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(tree)
    return found


def _not_printed(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield errors, docstrings, annotations and metadata of fields."""
    for node in ast.walk(tree):
        silent = isinstance(node, ast.Call) and _name(node) in (*ERRORS, "compile", "_stored", "TypeError")
        if silent or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            yield node
        elif isinstance(node, (ast.AnnAssign, ast.arg)) and node.annotation is not None:
            yield node.annotation


def _name(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")


def _text(node: ast.AST) -> str:
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


def page() -> str:
    """Return the page."""
    lines = [HEAD]
    for heading, parts in ROOMS.items():
        trees = [ast.parse(path.read_text(encoding="utf-8")) for path in modules(parts)]
        lines.append(f"## {heading}\n")
        errors = sorted({error for tree in trees for error in errors_of(tree)})
        if errors:
            lines += ["| it says | because | what to do |", "|---|---|---|"]
            lines += ["| " + " | ".join(map(_cell, error)) + " |" for error in errors]
            lines.append("")
        notes = sorted({note for tree in trees for note in notes_of(tree)})
        if notes:
            lines += ["Warnings, notes and remarks:\n", *(f"- {_cell(note)}" for note in notes), ""]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return re.sub(r"([|*_<>\[\]])", r"\\\1", " ".join(text.split()))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
