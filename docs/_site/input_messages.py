"""Every sentence about the input that the program may print, found in its source.

cd docs && python -m _site.input_messages        (writes docs/reference/input_messages.md)
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from _site import native_messages
from _site.messages import ERRORS, errors_of, name_of, text_of

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "input_messages.md"
#: Heading, and the modules that look at what the user gives.
ROOMS = {
    "Trajectories": ("trajectory",),
    "Structures and extended XYZ": ("structure",),
    "Logs, tables and stored currents": (
        "current/readers", "current/joined.py", "current/replicas.py", "current/mobility.py",
        "current/rigidity.py", "current/prepare.py", "current/checks.py", "current/continuous.py",
    ),
    "Labels from first principles": (
        "training/vasp_output.py", "training/qe_output.py", "training/abinit_output.py",
        "training/pw_files.py", "training/collection.py", "training/labels.py", "training/theory.py",
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

*Written by `cd docs && python -m _site.input_messages`; a test compares it with the source.*
"""


def modules(parts: tuple[str, ...]) -> Iterator[Path]:
    """Yield the files of some parts of the package."""
    for part in parts:
        path = ROOT / "bec_md" / part
        yield from sorted(path.rglob("*.py")) if path.is_dir() else [path]


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
            text = text_of(node)
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
        silent = isinstance(node, ast.Call) and name_of(node) in (*ERRORS, "compile", "_stored", "TypeError")
        if silent or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            yield node
        elif isinstance(node, (ast.AnnAssign, ast.arg)) and node.annotation is not None:
            yield node.annotation


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
    lines += ["## Models and structures in the native evaluator\n", "| it says | because | what to do |"]
    lines += [
        "|---|---|---|",
        *("| " + " | ".join(map(_cell, row)) + " |" for row in native_messages.errors()),
    ]
    lines += ["\n## In LAMMPS: fix bec\n", *(f"- {_cell(text)}" for text in native_messages.sentences()), ""]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return re.sub(r"([|*_<>\[\]])", r"\\\1", " ".join(text.split()))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
