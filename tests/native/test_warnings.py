"""The C++ sources compile without a warning; users' builds do not ask for that."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bec_md.native.build import COMPILE_FLAGS, SOURCE_DIRECTORY, WARNING_FLAGS, find_compiler, source_files

SOURCES = [path for path in source_files() if path.suffix == ".cpp"]


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_no_warnings(source: Path) -> None:
    compiler = find_compiler()
    if compiler is None:
        pytest.skip("no C++ compiler")
    command = [
        *compiler,
        *COMPILE_FLAGS,
        *WARNING_FLAGS,
        "-fsyntax-only",
        f"-I{SOURCE_DIRECTORY}",
        str(source),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_warning_fails(tmp_path: Path) -> None:
    compiler = find_compiler()
    if compiler is None:
        pytest.skip("no C++ compiler")
    (tmp_path / "narrow.cpp").write_text("float f(double x) { return x; }")
    command = [*compiler, *WARNING_FLAGS, "-fsyntax-only", str(tmp_path / "narrow.cpp")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "conversion" in done.stderr
