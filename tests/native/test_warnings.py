"""The C++ sources compile without a warning; users' builds do not ask for that."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bec_md.lammps.installation import installed_headers
from bec_md.native.build import COMPILE_FLAGS, SOURCE_DIRECTORY, WARNING_FLAGS, find_compiler, source_files

SOURCES = [path for path in source_files() if path.suffix == ".cpp"]
PLUGIN = sorted((Path(__file__).parents[2] / "lammps_plugin" / "src").glob("*.cpp"))


@pytest.mark.parametrize("source", [*SOURCES, *PLUGIN], ids=lambda path: path.stem)
def test_no_warnings(source: Path) -> None:
    compiler = find_compiler()
    if compiler is None:
        pytest.skip("no C++ compiler")
    command = [
        *compiler,
        *COMPILE_FLAGS,
        *WARNING_FLAGS,
        "-fsyntax-only",
        *(_headers_of_lammps() if source in PLUGIN else ()),
        "-idirafter",  # both have an error.h: that of LAMMPS first
        str(SOURCE_DIRECTORY),
        str(source),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _headers_of_lammps() -> list[str]:
    """Arguments for headers that are not ours."""
    headers = installed_headers()
    if headers is None:
        pytest.skip("no headers of LAMMPS")
    folders = [headers.include, *([headers.mpi_include] if headers.mpi_include else [])]
    return [
        "-DOMPI_SKIP_MPICXX",
        "-DMPICH_SKIP_MPICXX",
        f"-DBEC_LAMMPS_VERSION={headers.version}",
        *(word for folder in folders for word in ("-isystem", str(folder))),
    ]


def test_a_warning_fails(tmp_path: Path) -> None:
    compiler = find_compiler()
    if compiler is None:
        pytest.skip("no C++ compiler")
    (tmp_path / "narrow.cpp").write_text("float f(double x) { return x; }")
    command = [*compiler, *WARNING_FLAGS, "-fsyntax-only", str(tmp_path / "narrow.cpp")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "conversion" in done.stderr
