"""What frames show while they are read is kept with the current, whoever reads them and however often."""

from __future__ import annotations

import json
import pickle
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from bec_md.current import compute_current, load_current
from bec_md.current.found import kept
from bec_md.current.header import HEADER
from bec_md.errors import BecMDWarning, DataError
from bec_md.report.numbers import provenance_items
from bec_md.spectrum.compute import compute_spectrum
from bec_md.trajectory import open_trajectory
from bec_md.trajectory.findings import Findings
from bec_md.trajectory.scaled_velocities import Change
from tests.cli import crystal
from tests.current.toy import oscillators
from tests.current.toy import trajectory as oscillating
from tests.trajectory.test_scaled_velocities import FRAMES, N_ATOMS, STEP_FS, THERMAL, run

CHANGED = (60, 150)
SAID = f"run.xyz: all velocities change at once at 2 frames ({CHANGED[0]}, {CHANGED[1]})"
OPTIONS: dict[str, Any] = {"charges": "fixed:Ne=1,F=-1", "timestep_fs": STEP_FS}


def draw(number: int, v: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return THERMAL * random.normal(size=v.shape) if number in CHANGED else v


@pytest.fixture(scope="module")
def text() -> str:
    """Springs whose velocities are drawn anew at two frames."""
    frames = run(draw)
    positions, velocities = (
        np.array([getattr(atoms, f"get_{name}")() for atoms in frames])
        for name in ("positions", "velocities")
    )
    from ase import units

    return crystal.extxyz_text(
        positions,
        velocities * units.fs,
        time=False,
        symbols=("Ne", "F") * (N_ATOMS // 2),
        lattice="20 0 0 0 20 0 0 0 20",
    )


@pytest.fixture
def path(text: str, tmp_path: Path) -> Path:
    return crystal.write(tmp_path / "run.xyz", text)


def mentions(metadata: Any) -> int:
    return sum(one.startswith(SAID) for one in metadata["warnings"])


def test_in_memory_and_in_the_spectrum(path: Path) -> None:
    with pytest.warns(BecMDWarning) as told:
        current = compute_current(path, **OPTIONS)
    assert sum(str(one.message).startswith(SAID) for one in told) == 1
    assert mentions(current.metadata) == 1
    spectrum = compute_spectrum(current, resolution_cm=200.0, dc=False)
    assert mentions(spectrum.metadata) == 1
    assert SAID in provenance_items(spectrum.metadata)["Warnings about the input"]


def test_a_file_says_it_again(path: Path, tmp_path: Path) -> None:
    out = tmp_path / "c.h5"
    for _ in range(2):  # the second time nothing is read
        with pytest.warns(BecMDWarning, match="drawn anew"):
            assert mentions(compute_current(path, output=out, **OPTIONS).metadata) == 1
        assert mentions(load_current(out).metadata) == 1
    with h5py.File(out, "r+") as file:  # of a version that did not keep it
        header = json.loads(file.attrs[HEADER])
        header["metadata"] = {k: v for k, v in header["metadata"].items() if k != "found"} | {"warnings": []}
        file.attrs[HEADER] = json.dumps(header)
    assert load_current(out).metadata["warnings"] == []
    assert compute_current(path, output=out, **OPTIONS).n_frames == FRAMES


def test_an_interrupted_run_keeps_it(path: Path, tmp_path: Path) -> None:
    out = tmp_path / "c.h5"

    def stop(done: int, _: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compute_current(path, output=out, batch=90, commit_seconds=0.0, progress=stop, **OPTIONS)
    before = load_current(out)
    assert before.n_frames < CHANGED[1]
    found = before.metadata["found"]
    assert any("60" in one and "drawn anew" in one for one in found)
    with pytest.warns(BecMDWarning, match="150"):
        after = compute_current(path, output=out, batch=90, **OPTIONS)
    assert after.n_frames == FRAMES
    assert set(found) <= set(after.metadata["warnings"])
    assert any("150" in one for one in after.metadata["warnings"])


def test_workers_together_say_what_one_does(path: Path, tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    with pytest.warns(BecMDWarning) as told:
        current = compute_current(path, output=tmp_path / "c.h5", batch=16, workers=2, **OPTIONS)
    assert [str(one.message).startswith(SAID) for one in told] == [True]
    assert current.metadata["found"] == [str(told[0].message)]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_analysis_of_mdanalysis_says_it(workers: int) -> None:
    mda = pytest.importorskip("MDAnalysis")
    from ase import units

    from bec_md.mdanalysis import PolarizationCurrent

    frames = run(draw)
    positions, velocities = (
        np.array([getattr(atoms, f"get_{name}")() for atoms in frames])
        for name in ("positions", "velocities")
    )
    universe = mda.Universe.empty(N_ATOMS, trajectory=True, velocities=True)
    universe.add_TopologyAttr("elements", np.array(["Ne", "F"] * (N_ATOMS // 2), dtype=object))
    box = [20.0] * 3 + [90.0] * 3
    universe.load_new(positions, velocities=velocities * units.fs * 1e3, dimensions=box, dt=STEP_FS / 1e3)
    analysis = PolarizationCurrent(universe, batch=16, **OPTIONS)
    more = {} if workers == 1 else {"backend": "multiprocessing", "n_workers": workers}
    with pytest.warns(BecMDWarning, match=r"at 2 frames \(60, 150\)"):
        analysis.run(**more)
    assert any("drawn anew" in text for text in analysis.results.series.metadata["warnings"])


@pytest.mark.parametrize("stop", [100, 199])
def test_a_pass_that_ends_early_says_it(path: Path, stop: int) -> None:
    trajectory = open_trajectory(path, timestep_fs=STEP_FS, stop=stop)
    with pytest.warns(BecMDWarning, match="drawn anew"):
        assert sum(1 for _ in trajectory) == stop


def test_findings_of_parts_are_those_of_the_whole() -> None:
    """Two changes do not tell a thermostat that rescales from replicas that are exchanged; four do."""
    changes = [
        Change(100 * k, sign * size, size**2, True, 1.0, (1.0 + 2 * sign * size) ** 2)
        for k, (sign, size) in enumerate(
            [(1, 0.02), (-1, 0.05), (1, 0.03), (1, 0.06), (-1, 0.02), (-1, 0.04)]
        )
    ]
    whole, parts = Findings("a"), [Findings("a") for _ in range(3)]
    for number, change in enumerate(changes):
        whole.changes.add(change)
        parts[number // 2].changes.add(change)
    together = Findings("a")
    for part in (parts[2], parts[0], parts[1], parts[0]):  # in any order, and twice
        together.merge(part)
    assert together.changes.in_order() == whole.changes.in_order() == changes
    assert together.sentences() == whole.sentences()
    assert parts[0].news().changes.in_order() == changes[:2]
    assert parts[0].news().changes.in_order() == []


def test_a_frame_that_was_cut_off_may_be_whole_later() -> None:
    stored = {"metadata": {"found": ["a.xyz, frame 9 is cut off and was left out", "drawn anew"]}}
    assert kept(stored, same_files=True) == tuple(stored["metadata"]["found"])
    assert kept(stored, same_files=False) == ("drawn anew",)
    assert kept({}, same_files=True) == ()


def test_nothing_is_said_where_nothing_is_found(tmp_path: Path) -> None:
    path = crystal.write(tmp_path / "a.xyz", crystal.extxyz_text(*crystal.trajectory(60)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        current = compute_current(path, charges=crystal.CHARGES, output=tmp_path / "c.h5")
    assert current.metadata["found"] == current.metadata["warnings"] == []


def test_rows_that_are_read_later_are_those_of_the_file_that_was_opened(tmp_path: Path) -> None:
    frames, path = oscillating(oscillators(), 60, 2.0), tmp_path / "c.h5"
    given: dict[str, Any] = {"timestep_fs": 2.0, "charges": "fixed:Si=3,O=-2,Li=1"}
    known = compute_current(frames[:40], output=path, **given).current
    lazy = load_current(path, lazy=True)
    compute_current(frames, output=path, **given)  # it grows
    assert np.array_equal(lazy.current[:], known)
    compute_current(frames, output=path, overwrite=True, **given | {"charges": "fixed:Si=1,O=-1,Li=2"})
    with pytest.raises(DataError, match="overwritten by another computation"):
        lazy.total()


def test_what_others_keep_in_the_file_survives_when_it_grows(tmp_path: Path) -> None:
    frames, path = oscillating(oscillators(), 60, 2.0), tmp_path / "c.h5"
    given: dict[str, Any] = {"timestep_fs": 2.0, "charges": "fixed:Si=3,O=-2,Li=1", "batch": 5}
    given["output"] = path
    compute_current(frames[:40], **given)
    with h5py.File(path, "r+") as file:
        file["comment"] = "smoothed by hand"
        file["analysis/mean"] = np.arange(3.0)
        del file["kinetic_energy_ev"]
    found = compute_current(frames, **given)
    assert np.array_equal(found.current, compute_current(frames, **given | {"output": None}).current)
    assert found.kinetic_energy_ev is None  # that of the first 40 is gone
    with h5py.File(path) as file:
        assert file["comment"][()] == b"smoothed by hand"
        assert file["analysis/mean"][()].tolist() == [0.0, 1.0, 2.0]


def test_averages_of_a_stored_current_are_those_of_its_arrays(tmp_path: Path) -> None:
    """Charges that are scaled afterwards scale ΣZZᵀ/m, and the f-sum rule with it."""
    path = tmp_path / "c.h5"
    given: dict[str, Any] = {"timestep_fs": 2.0, "charges": "fixed:Si=3,O=-2,Li=1", "output": path}
    made = compute_current(oscillating(oscillators(), 60, 2.0), **given)
    for stored in (made, load_current(path, lazy=True), pickle.loads(pickle.dumps(made))):
        assert stored.averages is stored.known_averages
        scaled = replace(stored, zz_over_mass=0.25 * np.asarray(stored.zz_over_mass))
        np.testing.assert_allclose(
            scaled.averages.zz_over_mass, 0.25 * stored.averages.zz_over_mass, rtol=1e-6
        )
        np.testing.assert_allclose(scaled[:].averages.zz_over_mass, scaled.averages.zz_over_mass, rtol=1e-6)
