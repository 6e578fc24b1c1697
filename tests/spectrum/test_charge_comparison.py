"""Spectra of one motion with several charges: exact differences with honest errors."""

from __future__ import annotations

import numpy as np
import pytest

from bec_md.current import compute_current
from bec_md.current.options import CurrentOptions
from bec_md.current.prepare import prepare_current
from bec_md.current.variants import mean_tensors, static_currents
from bec_md.errors import DataError
from bec_md.spectrum.analysis.charge_comparison import compare_charges
from bec_md.trajectory import ReadOptions
from tests.current import toy
from tests.spectrum.exact import bare, langevin_oscillator, neutral_system

OPTIONS = {"temperature_k": 300.0, "resolution_cm": 40.0, "max_cm": 2000.0}


def test_equal_charges_make_no_difference() -> None:
    series = neutral_system()
    found = compare_charges({"a": [series], "b": [series]}, **OPTIONS)
    same = found.table[1]
    # rounding of two FFTs of the same numbers
    assert same.changed_share < 1e-12
    assert same.intensity_ratio == pytest.approx(1.0, abs=1e-12)
    assert same.significant_share == 0.0


def test_a_new_band_is_found_and_nothing_else() -> None:
    common = langevin_oscillator(40000, 2.0, 500.0, 60.0, 10.0, 1)[1]
    extra = 0.3 * langevin_oscillator(40000, 2.0, 1200.0, 60.0, 10.0, 2)[1]
    found = compare_charges({"both": [bare(common + extra, 2.0)], "one": [bare(common, 2.0)]}, **OPTIONS)
    row = found.table[1]
    assert 1150 < row.largest_delta_cm < 1250
    assert row.largest_delta_z < -4  # missing without the second motion
    assert row.largest_delta < 0
    # the second band has 0.3² of the strength of the first; the error in common does not count
    assert row.intensity_ratio == pytest.approx(1 / 1.09, abs=4 * row.intensity_ratio_err)
    assert row.intensity_ratio_err < 0.02
    # the strong band is not significantly different though it carries most of the absorption
    assert row.significant_share < 0.25


def test_significance_is_that_of_the_difference() -> None:
    # independent currents of the same spectrum: what differs does so by chance
    shares = []
    for seed in range(8):
        v = langevin_oscillator(8000, 2.0, 500.0, 60.0, 10.0, 10 + seed, (6,))[1]
        found = compare_charges({"a": [bare(v[:, :3], 2.0)], "b": [bare(v[:, 3:], 2.0)]}, **OPTIONS)
        shares.append(found.table[1].significant_share)
        assert found.table[1].changed_share > 0.01
    # 5 % for a normal error; a few independent points in the band of each of 8 runs
    assert np.mean(shares) < 0.15


def test_the_error_of_the_ratio_matches_its_scatter() -> None:
    ratios, errors = [], []
    for seed in range(64):
        v = langevin_oscillator(6000, 2.0, 500.0, 60.0, 10.0, 100 + seed, (6,))[1]
        row = compare_charges(
            {"a": [bare(v[:, :3], 2.0)], "b": [bare(v[:, :3] + 0.5 * v[:, 3:], 2.0)]}, **OPTIONS
        ).table[1]
        ratios.append(row.intensity_ratio)
        errors.append(row.intensity_ratio_err)
    # 64 runs know a standard deviation to 9 %
    assert np.std(ratios, ddof=1) == pytest.approx(np.mean(errors), rel=0.25)


def test_replicas_must_match() -> None:
    v = np.random.default_rng(0).normal(size=(2000, 3))
    with pytest.raises(DataError, match="1000 samples against 2000"):
        compare_charges({"a": [bare(v)], "b": [bare(v[:1000])]}, **{**OPTIONS, "resolution_cm": 300.0})


@pytest.mark.filterwarnings("ignore:.*no velocities.*")  # one of the two schemes is the midpoint rule
@pytest.mark.parametrize("velocities", [True, False])
def test_static_currents_equal_those_computed_one_by_one(velocities: bool) -> None:
    frames = toy.trajectory(toy.oscillators(drift=1e-3), 60, 1.0, velocities=velocities)
    source = toy.WavyCharges()
    options = CurrentOptions(charges=source, batch=7)
    job = prepare_current(frames, options, ReadOptions(timestep_fs=1.0))
    mean = mean_tensors(job.recipe, 60, samples=20)
    assert mean.frames == 20
    direct = np.mean([toy.wavy(f.positions, np.array(f.cell)) for f in frames[::3]], axis=0)
    np.testing.assert_allclose(mean.tensors, direct, atol=1e-12)
    assert 0.0 < mean.fluctuation_e < 0.3
    numbers = job.info.numbers
    fixed = mean.isotropic(numbers)
    scalars = np.array([fixed[int(z)] for z in numbers])[:, None, None] * np.eye(3)
    # per species the mean of tr Z/3 is kept
    for z in set(numbers.tolist()):
        kept = np.trace(mean.tensors[numbers == z], axis1=1, axis2=2).mean() / 3
        assert fixed[z] == pytest.approx(kept, rel=1e-12)
    found = static_currents(job, {"static": mean.tensors, "fixed": scalars})
    for name, tensors in (("static", mean.tensors), ("fixed", scalars)):
        one = compute_current(frames, charges=tensors, timestep_fs=1.0)
        for rule in ("mass", "equal", "none"):
            np.testing.assert_allclose(found[name].total(rule), one.total(rule), rtol=1e-10, atol=1e-14)
            np.testing.assert_allclose(found[name].zz_sum(rule)[0], one.zz_sum(rule)[0], rtol=1e-10)
        assert found[name].volume_ang3 == pytest.approx(one.volume_ang3)
        assert found[name].groups == one.groups
