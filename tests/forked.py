"""Python programs in processes of their own, forked from one that has imported the packages already.

A new interpreter spends three seconds on importing PyTorch. That the installed program starts, and what it
imports, is the matter of tests/cli/test_start.py.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from multiprocessing import forkserver
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock


def run(
    command: Sequence[str | Path], folder: Path | None = None, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run ``bec-md …``, ``script.py …`` or ``-c text`` in a folder and return its end and what it printed."""
    words = [str(word) for word in command]
    with tempfile.TemporaryDirectory() as output:
        target = (words, folder or Path.cwd(), os.environ | (environment or {}), output)
        process = _server().Process(target=_child, args=target)
        process.start()
        process.join(600)
        process.kill()
        process.join()
        printed = [(Path(output) / name).read_text(encoding="utf-8") for name in ("stdout", "stderr")]
    return subprocess.CompletedProcess(words, process.exitcode or 0, *printed)


@cache
def _server() -> Any:
    """Start the process that the others are forked from."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.imported"])
    with mock.patch.dict(os.environ, MPLBACKEND="Agg", PYTHONPATH=str(Path(__file__).parents[1])):
        forkserver.ensure_running()
    return context


def _child(words: list[str], folder: Path, environment: Mapping[str, str], output: str) -> None:
    for number, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(Path(output) / name, os.O_WRONLY | os.O_CREAT), number)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in jobs of the background
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = words
    if words[0] == "bec-md":
        from bec_md.cli import main

        sys.argv = [str(Path(sys.executable).with_name("bec-md")), *words[1:]]
        sys.exit(main())
    elif words[0] == "-c":
        sys.argv = ["-c", *words[2:]]
        module = sys.modules["__main__"] = ModuleType("__main__")
        sys.path.insert(0, "")
        exec(compile(words[1], "<string>", "exec"), vars(module))
    else:
        sys.path.insert(0, str(Path(words[0]).parent))
        runpy.run_path(words[0], run_name="__main__")
