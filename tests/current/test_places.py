"""The mean structure that every current keeps: bounded, and the same however the work was cut."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from bec_md import compute_current, load_current, open_trajectory
from bec_md.current.execution import Execution
from bec_md.current.places import MOST, PLACE_ROW, PLACES, mean_structure_entry, pick
from bec_md.current.prepare import prepare_current
from bec_md.current.run import run
from bec_md.spectrum.analysis.point_group import point_group
from bec_md.trajectory.mean_structure import MeanStructure, mean_structure

QUARTZ = Path(__file__).parents[2] / "examples/quartz/quartz_300K.npz"
CHARGES = "fixed:Si=3.4,O=-1.7"


def kept(series: Any) -> MeanStructure:
    return MeanStructure.from_dict(series.metadata["mean_structure"])


def test_it_is_the_mean_of_all_frames() -> None:
    found = kept(compute_current(QUARTZ, charges=CHARGES, stop=2000))
    whole = mean_structure(open_trajectory(QUARTZ, stop=2000).frames())
    assert found.frames == 500  # every fourth
    np.testing.assert_array_equal(found.numbers, whole.numbers)
    np.testing.assert_allclose(found.cell_ang, whole.cell_ang, rtol=1e-12)
    apart = found.positions_ang - whole.positions_ang
    # frames between say little: they are 20 fs apart. Differences of 72 atoms × 3, r.m.s. displacement 0.1 Å
    assert np.abs(apart - apart.mean(axis=0)).max() < 0.1 / 500**0.5 * 4.0
    assert found.spread == pytest.approx(whole.spread, rel=0.1)
    assert found.halves_ang == pytest.approx(whole.halves_ang, rel=0.3)
    group = point_group(found.cell_ang, found.positions_ang, found.numbers, found.tolerance_ang)
    assert (group.symbol, len(group.rotations)) == ("32", 6)


def test_wrapping_and_drift_do_not_matter() -> None:
    """Frames at rest but for a drift of many cells, each atom in a cell of its own."""
    first = next(iter(open_trajectory(QUARTZ, stop=1).frames()))
    random = np.random.default_rng(1)
    frames = [first] + [
        replace(
            first,
            positions_ang=first.positions_ang
            + [0.7 * step, -0.5 * step, 0.3 * step]
            + random.integers(-2, 3, size=(first.n_atoms, 3)) @ first.cell_ang,
        )
        for step in range(1, 40)
    ]
    found = pick(frames, 0, 1)
    cells = np.stack([frame.cell_ang for frame in frames])
    mean = MeanStructure.from_dict(
        mean_structure_entry(found[PLACE_ROW], found[PLACES], cells, first.numbers.tolist())["mean_structure"]
    )
    assert mean.frames == 40
    np.testing.assert_allclose(mean.positions_ang, first.positions_ang, atol=1e-5)  # float32 of 60 Å
    assert mean.spread < 1e-5


@pytest.mark.parametrize("batch", [7, 64])
def test_it_does_not_depend_on_batches_or_on_where_the_work_was_cut(batch: int, tmp_path: Path) -> None:
    whole = kept(compute_current(QUARTZ, charges=CHARGES, stop=1000)).to_dict()
    job = prepare_current(QUARTZ, _options(batch), _reading(1000))
    pieces = {}
    for start, stop in ((640, 1000), (0, 129), (129, 640)):
        pieces |= dict(job.recipe.rows(start, stop))
    from bec_md.current.run import series_of

    assert kept(series_of(job, pieces)).to_dict() == whole
    stopped = Execution(commit_seconds=0.0, progress=_stop_at(300))
    with pytest.raises(KeyboardInterrupt):
        run(job, stopped, output=tmp_path / "cut.h5")
    assert 0 < kept(load_current(tmp_path / "cut.h5")).frames < 500
    assert kept(run(job, output=tmp_path / "cut.h5")).to_dict() == whole


def test_workers_find_the_same(tmp_path: Path) -> None:
    whole = kept(compute_current(QUARTZ, charges=CHARGES, stop=1000)).to_dict()
    shared = compute_current(QUARTZ, charges=CHARGES, stop=1000, workers=2, output=tmp_path / "two.h5")
    assert kept(shared).to_dict() == whole


def test_a_longer_run_keeps_no_more_and_ends_with_the_same(tmp_path: Path) -> None:
    path = tmp_path / "grown.h5"
    for stop in (500, 1500, 3000):
        compute_current(QUARTZ, charges=CHARGES, stop=stop, output=path)
    with h5py.File(path) as file:
        assert file[PLACE_ROW][()].tolist() == list(range(0, 3000, 8))
        assert len(file[PLACES]) <= MOST
        assert "mean_structure" in json.loads(file.attrs["bec_md_current"])
    assert (
        kept(load_current(path)).to_dict()
        == kept(compute_current(QUARTZ, charges=CHARGES, stop=3000)).to_dict()
    )


def test_a_current_without_places_has_no_mean_structure(tmp_path: Path) -> None:
    """Begun by an older version: the rest is kept, and no mean of one half is taken for the whole."""
    path = tmp_path / "old.h5"
    compute_current(QUARTZ, charges=CHARGES, stop=500, output=path)
    with h5py.File(path, "r+") as file:
        del file[PLACE_ROW], file[PLACES]
        header = json.loads(file.attrs["bec_md_current"])
        file.attrs["bec_md_current"] = json.dumps({k: v for k, v in header.items() if k != "mean_structure"})
    series = compute_current(QUARTZ, charges=CHARGES, stop=1000, output=path)
    assert series.n_frames == 1000
    assert "mean_structure" not in series.metadata


def _options(batch: int) -> Any:
    from bec_md.current.options import CurrentOptions

    return CurrentOptions(charges=CHARGES, batch=batch)


def _reading(stop: int) -> Any:
    from bec_md.trajectory.options import ReadOptions

    return ReadOptions(stop=stop)


def _stop_at(rows: int) -> Any:
    def progress(done: int, total: int | None) -> None:
        if done >= rows:
            raise KeyboardInterrupt

    return progress
