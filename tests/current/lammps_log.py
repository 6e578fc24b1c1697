"""Logs of LAMMPS, made up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bec_md.current import is_current_file, open_current

RNG = np.random.default_rng(3)
CURRENT = RNG.normal(size=(41, 3)).round(6)  # e Å/ps
COLUMNS = ("Step", "Time", "Temp", "Volume", "f_ir[1]", "f_ir[2]", "f_ir[3]")
HEAD = """LAMMPS (22 Jul 2025 - Update 4)
units metal
  orthogonal box = (0 0 0) to (10 10 9)
  72 atoms
timestep 0.0005
fix move all nve
fix ir all bec silica Si O every 4
thermo_style custom step time temp vol f_ir[1] f_ir[2] f_ir[3]
thermo 4
"""
CHAIN = "variable jx equal f_ir[1]\nvariable jy equal f_ir[2]\nvariable jz equal f_ir[3]\n"


def after(table: np.ndarray) -> str:
    steps = table[-1, 0] - table[0, 0]
    return f"Loop time of 1.0 on 1 procs for {steps:.0f} steps with 72 atoms\n\nPerformance: 1.0 ns/day\n"


def rows(
    start: int = 0, stop: int = 41, step: int = 4, dt: float = 0.0005, factor: float = 1.0
) -> np.ndarray:
    steps = step * np.arange(41)
    temperature = 300.0 + np.arange(41) % 7
    table = np.column_stack([steps, dt * steps, temperature, np.full(41, 904.0), factor * CURRENT])
    return table[start:stop]


def one(table: np.ndarray, columns: tuple[str, ...] = COLUMNS) -> str:
    lines = [
        "Per MPI rank memory allocation (min/avg/max) = 4.7 | 4.7 | 4.7 Mbytes",
        "   " + "   ".join(columns),
    ]
    lines += [" ".join(f"{value:.10g}" for value in row) for row in table]
    return "\n".join(lines) + "\n" + after(table)


def multi(table: np.ndarray) -> str:
    lines = ["Per MPI rank memory allocation (min/avg/max) = 4.7 | 4.7 | 4.7 Mbytes"]
    for row in table:
        lines.append(f"------------ Step {row[0]:14.0f} ----- CPU =  0.0059 (sec) -------------")
        pairs = [f"{name:8s} = {value:.10g} " for name, value in zip(COLUMNS, row, strict=True)]
        lines += ["".join(pairs[:3]), "".join(pairs[3:6]), pairs[6]]
    return "\n".join(lines) + "\n" + after(table)


def yaml(table: np.ndarray) -> str:
    quoted = ", ".join(f"'{name}'" for name in COLUMNS)
    lines = ["---", f"keywords: [{quoted}, ]", "data:"]
    lines += ["  - [" + ", ".join(f"{value:.10g}" for value in row) + ", ]" for row in table]
    return "\n".join([*lines, "..."]) + "\n" + after(table)


def read(tmp_path: Path, text: str, **options: object):  # type: ignore[no-untyped-def]
    path = tmp_path / "log.lammps"
    path.write_text(text)
    assert is_current_file(path)
    return open_current(path, **options)


def assert_reference(found) -> None:  # type: ignore[no-untyped-def]
    assert found.n_frames == 41
    assert np.allclose(found.current[:, 0], 1e-3 * CURRENT, rtol=1e-9)
    assert found.timestep_fs == pytest.approx(2.0, rel=1e-12)
    assert found.volume_ang3 == pytest.approx(904.0)
    assert found.metadata["warnings"] == []


def ave_time(tmp_path: Path, command: str) -> Path:
    (tmp_path / "log.lammps").write_text(HEAD + f"fix out all ave/time {command}\nrun 160\n" + one(rows()))
    path = tmp_path / "J.dat"
    steps = 4 * np.arange(41)[:, None]
    lines = "\n".join(" ".join(f"{v:.10g}" for v in row) for row in np.hstack([steps, CURRENT]))
    path.write_text(f"# Time-averaged data for fix out\n# TimeStep f_ir[1] f_ir[2] f_ir[3]\n{lines}\n")
    return path
