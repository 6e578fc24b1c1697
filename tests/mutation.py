"""Mutation testing: change one operator, comparison or number at a time, and see whether a test fails.

    python tests/mutation.py --sample 40 --seed 1 bec_md/spectrum bec_md/charges

Each mutant is a copy of the package in a temporary folder; the tests of the room run on it until the first
failure. Prints every survivor with its place, and the score. Not part of the suite: a mutant takes as long
as the tests that miss it. Texts, types, plots and messages are not mutated.
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Lt: ast.GtE,
    ast.Gt: ast.LtE, ast.LtE: ast.Gt, ast.GtE: ast.Lt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip
#: Tests by room; the first that fails ends the trial.
TESTS = {"spectrum": "tests/spectrum", "charges": "tests/charges"}


@dataclass(frozen=True)
class Mutant:
    """One change of one file."""

    path: Path
    line: int
    what: str
    text: str


def mutants_of(path: Path) -> Iterator[Mutant]:
    """Every change of a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for index, node in enumerate(ast.walk(tree)):
        for what in changes(node):
            changed = copy.deepcopy(tree)
            target = next(n for i, n in enumerate(ast.walk(changed)) if i == index)
            apply(target, what)
            line = getattr(node, "lineno", 0)
            yield Mutant(
                path, line, f"{ast.unparse(node)[:70]!r} → {ast.unparse(target)[:70]!r}", ast.unparse(changed)
            )


def changes(node: ast.AST) -> list[str]:
    """What can be done to a node: names of changes for `apply`."""
    if isinstance(node, ast.BinOp | ast.BoolOp | ast.AugAssign) and type(node.op) in SWAPS:
        texts = [node.left, node.right] if isinstance(node, ast.BinOp) else []
        if any(isinstance(t, ast.JoinedStr) or isinstance(getattr(t, "value", None), str) for t in texts):
            return []
        return ["operator"]
    if isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPS:
        return ["comparison"]
    if isinstance(node, ast.Constant) and isinstance(node.value, float) and node.value not in (0.0, 1e-300):
        return ["number"]
    if isinstance(node, ast.If | ast.IfExp):
        return ["condition"]
    return []


def apply(node: ast.AST, what: str) -> None:
    """Change a node in place."""
    if what == "operator":
        node.op = SWAPS[type(node.op)]()  # type: ignore[attr-defined]
    elif what == "comparison":
        node.ops[0] = SWAPS[type(node.ops[0])]()  # type: ignore[attr-defined]
    elif what == "number":
        node.value *= 1.5  # type: ignore[attr-defined]
    else:
        node.test = ast.UnaryOp(ast.Not(), node.test)  # type: ignore[attr-defined]


def survives(mutant: Mutant, folder: Path, timeout_s: float) -> bool:
    """Whether all tests of the room pass on the mutant."""
    relative = mutant.path.relative_to(ROOT)
    target = folder / relative
    original = target.read_text(encoding="utf-8")
    target.write_text(mutant.text, encoding="utf-8")
    try:
        return passes(relative.parts[1], folder, timeout_s, relative.stem)
    finally:
        target.write_text(original, encoding="utf-8")


def passes(room: str, folder: Path, timeout_s: float, module: str = "") -> bool:
    """Whether all tests of a room pass in a folder, in time; those that name the module come first."""
    tests = sorted((folder / TESTS[room]).glob("test_*.py"))
    tests.sort(key=lambda path: f".{module}" not in path.read_text(encoding="utf-8"))
    environment = {**os.environ, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-x",
        "-q",
        "-p",
        "no:cacheprovider",
        *map(str, tests),
    ]
    try:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=timeout_s)
        return done.returncode == 0
    except subprocess.TimeoutExpired:
        return False


def main() -> None:
    """Sample mutants, run them, report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--sample", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--timeout", type=float, default=900.0)
    given = parser.parse_args()
    files = [f for p in given.paths for f in ([p] if p.is_file() else sorted(p.rglob("*.py")))]
    found = [m for f in files for m in mutants_of(f.resolve())]
    chosen = random.Random(given.seed).sample(found, min(given.sample, len(found)))
    alive = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("bec_md", "tests"):
            shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", folder)
        for part in ("docs", "examples"):  # read by some tests
            (folder / part).symlink_to(ROOT / part)
        for room in sorted({m.path.relative_to(ROOT).parts[1] for m in chosen}):
            if not passes(room, folder, given.timeout):
                sys.exit(f"the tests of {room} fail without any change: mutants would seem to be noticed")
        for number, mutant in enumerate(chosen, 1):
            lives = survives(mutant, folder, given.timeout)
            alive += lives
            word = "SURVIVED" if lives else "killed"
            print(
                f"{number:3d} {word:8s} {mutant.path.relative_to(ROOT)}:{mutant.line} {mutant.what}",
                flush=True,
            )
    print(f"{len(chosen) - alive} of {len(chosen)} mutants killed ({len(found)} in all)")


if __name__ == "__main__":
    main()
