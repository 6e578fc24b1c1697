"""The input scripts in examples/lammps, shortened."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

EXAMPLES = Path(__file__).parents[2] / "examples" / "lammps"
Run = Callable[..., subprocess.CompletedProcess[str]]


def thermo(log: Path) -> tuple[list[str], NDArray[np.float64]]:
    """Columns and rows of the last thermo table that names the current."""
    _, header, rest = log.read_text().rpartition("\n   Step ")
    lines = (header + rest).strip().splitlines()
    rows = []
    for line in lines[1:]:
        if not re.match(r"\s+\d", line):
            break
        rows.append([float(word) for word in line.split()])
    return lines[0].split(), np.array(rows)


def run(run_lmp: Run, tmp_path: Path, name: str, **variables: str) -> tuple[list[str], NDArray[np.float64]]:
    for file in (*EXAMPLES.glob("*.mol"), EXAMPLES / "quartz.in"):
        shutil.copy(file, tmp_path)
    words = [word for key, value in variables.items() for word in ("-var", key, value)]
    done = run_lmp((EXAMPLES / name).read_text(), 1, "-log", "out.log", *words)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-1000:]
    return thermo(tmp_path / "out.log")


def test_quartz_on_the_fly_is_what_the_dump_gives(
    run_lmp: Run, tmp_path: Path, models: dict[str, Path]
) -> None:
    import bec_md
    from bec_md.current.readers import open_current

    model = str(models["two_layers"])
    run(run_lmp, tmp_path, "quartz.in", model=model, steps="40", equilibration="50", trajectory="yes")
    live = open_current(tmp_path / "out.log")
    # units, timestep and times stand in the dump
    afterwards = bec_md.compute_current(tmp_path / "quartz.lammpstrj", model)
    assert live.timestep_fs == 2.0
    assert live.current.shape[0] == afterwards.current.shape[0] == 11
    # float32 network, and ten digits in the files
    np.testing.assert_allclose(
        live.current.sum(axis=1), afterwards.total("none"), rtol=1e-5, atol=1e-6 * np.abs(live.current).max()
    )


def test_pieces_with_new_velocities_are_replicas(
    run_lmp: Run, tmp_path: Path, models: dict[str, Path]
) -> None:
    from bec_md.current.joined import in_runs
    from bec_md.current.readers import open_current

    words = {"pieces": "3", "length": "60", "equilibration": "50", "model": str(models["two_layers"])}
    run(run_lmp, tmp_path, "pieces.in", **words)
    pieces = [open_current(path) for path in sorted(tmp_path.glob("piece-*.log"))]
    assert len(in_runs(pieces)) == 3  # none continues another
    for piece in pieces:
        assert piece.timestep_fs == 2.0
        assert piece.n_frames >= 16
        assert piece.temperature_k == pytest.approx(300.0, abs=40.0)  # new velocities, not those of before
    assert len({piece.n_frames for piece in pieces}) > 1


def test_file_of_ave_time_needs_nothing_but_its_log(
    run_lmp: Run, tmp_path: Path, models: dict[str, Path]
) -> None:
    from bec_md.current.readers import open_current
    from bec_md.errors import UsageError

    script = (EXAMPLES / "quartz.in").read_text()
    write = "fix out all ave/time ${every} 1 ${every} f_ir[1] f_ir[2] f_ir[3] file j.dat\n"
    script = script.replace("run ${steps}", write + "run ${steps}")
    words = ["-var", "model", str(models["two_layers"]), "-var", "steps", "40", "-var", "equilibration", "20"]
    done = run_lmp(script, 1, "-log", "out.log", *words)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-1000:]
    log, file = open_current(tmp_path / "out.log"), open_current(tmp_path / "j.dat")
    np.testing.assert_allclose(file.current, log.current, rtol=1e-5, atol=1e-8)  # six digits
    assert (file.timestep_fs, file.temperature_k) == (log.timestep_fs, log.temperature_k)
    assert file.volume_ang3 == log.volume_ang3
    (tmp_path / "out.log").unlink()
    with pytest.raises(UsageError, match="`lammps_units"):
        open_current(tmp_path / "j.dat")


def test_flexible_water(run_lmp: Run, tmp_path: Path, models: dict[str, Path]) -> None:
    names, rows = run(
        run_lmp,
        tmp_path,
        "water.in",
        model=str(models["two_layers"]),
        n="8",
        steps="20",
        equilibration="20",
    )
    assert len(rows) == 6
    j = rows[:, [names.index(f"f_ir[{k}]") for k in (1, 2, 3)]]
    assert np.abs(j).max() > 1e-3


def test_driven_strontium_titanate(run_lmp: Run, tmp_path: Path) -> None:
    names, rows = run(run_lmp, tmp_path, "driven.in", steps="20", equilibration="20")
    drive = rows[:, names.index("v_drive")]
    np.testing.assert_allclose(drive, 0.008 * np.cos(2 * np.pi * 14.5 * 0.001 * rows[:, 0]), atol=1e-9)
    assert rows[-1, names.index("f_ir")] != 0.0


@pytest.mark.slow
def test_driven_response_is_that_of_the_fluctuations(plugin: Path, tmp_path: Path) -> None:
    path = os.pathsep.join([str(Path(sys.prefix) / "bin"), os.environ["PATH"]])
    command = [sys.executable, str(EXAMPLES / "driven.py"), "--steps", "3000", "--equilibration", "1000"]
    done = subprocess.run(
        command, cwd=tmp_path, env=dict(os.environ, PATH=path), capture_output=True, text=True, check=True
    )
    found = re.search(r"they differ by ([\d.]+) errors", done.stdout)
    assert found is not None, done.stdout
    # two complex numbers with errors that are estimated from a few blocks themselves
    assert float(found.group(1)) < 4.0, done.stdout
