"""Running the scripts in examples/ and the command line, and reading the numbers they print."""

from __future__ import annotations

import re
from pathlib import Path

from tests import forked

EXAMPLES = Path(__file__).parents[2] / "examples"


def script(name: str, *arguments: str, folder: Path | None = None) -> str:
    """Standard output of ``examples/NAME``, which must succeed."""
    return _run([str(EXAMPLES / name), *arguments], folder)


def bec_md(folder: Path, *arguments: str) -> str:
    """Standard output of ``bec-md`` run in ``folder``, which must succeed."""
    return _run(["bec-md", *arguments], folder)


def numbers_of(line: str) -> list[float]:
    """All numbers of a line."""
    return [float(word) for word in re.findall(r"-?\d+\.?\d*", line)]


def _run(command: list[str], folder: Path | None) -> str:
    done = forked.run(command, folder)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout
