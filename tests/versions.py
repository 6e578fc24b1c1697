"""Run tests against the oldest or the newest releases of what the package needs.

    pip install uv
    python tests/versions.py lowest-direct tests/trajectory tests/current tests/spectrum
    python tests/versions.py highest tests/cli
    python tests/versions.py lowest-direct --python 3.13          # only resolve: are there wheels for it?

The versions are chosen by uv from pyproject.toml and laid over the present environment in a folder of their
own; PyTorch, whose wheels have gigabytes, stays the present one unless `--with-torch`.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
#: Come with PyTorch.
HEAVY = re.compile(r"^(torch|triton|nvidia-|cuda-|pytorch)")


def resolved(resolution: str, python: str, folder: Path) -> list[str]:
    """Requirements with versions, as uv chooses them from pyproject.toml for a Python; wheels only."""
    target = folder / "requirements.txt"
    words = ["uv", "pip", "compile", "-q", "--no-annotate", "--no-header", "--only-binary", ":all:"]
    subprocess.run(
        [*words, "--python-version", python, "--resolution", resolution, "pyproject.toml", "-o", str(target)],
        cwd=ROOT,
        check=True,
    )
    return target.read_text().split("\n")


def main() -> int:
    """Resolve, install beside the environment, run the tests there."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("resolution", choices=["lowest-direct", "highest"])
    parser.add_argument("tests", nargs="*", help="paths for pytest")
    here = ".".join(map(str, sys.version_info[:2]))
    parser.add_argument("--python", default=here)
    parser.add_argument("--with-torch", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = [line for line in resolved(options.resolution, options.python, folder) if "==" in line]
        print("\n".join(found), flush=True)
        if options.python != here or not options.tests:
            return 0
        chosen = [line for line in found if options.with_torch or not HEAVY.match(line)]
        beside = folder / "packages"
        install = ["uv", "pip", "install", "-q", "--no-deps", "--only-binary", ":all:"]
        subprocess.run([*install, "--python", sys.executable, "--target", str(beside), *chosen], check=True)
        environment = {**os.environ, "PYTHONPATH": str(beside), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "pytest", "-q", *options.tests]
        return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
