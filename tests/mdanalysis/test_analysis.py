"""J of a Universe is that of `compute_current`, with every backend, with and without velocities."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bec_md import compute_current, compute_spectrum
from bec_md.errors import UsageError
from bec_md.mdanalysis import PolarizationCurrent

MDAnalysis = pytest.importorskip("MDAnalysis")

CHARGES = {"charges": "fixed:Na=1,Cl=-1"}
STEP_PS = 0.002


def rock_salt(*, velocities: bool, frames: int = 90) -> Any:
    """Eight atoms in 5.6 Å that swing about their sites, in memory, 2 fs apart."""
    from MDAnalysis.coordinates.memory import MemoryReader

    rng = np.random.default_rng(5)
    sites = 2.8 * np.array(list(np.ndindex(2, 2, 2)), dtype=float)
    numbers = np.array(["Na", "Cl"])[(np.array(list(np.ndindex(2, 2, 2))).sum(axis=1)) % 2]
    t = STEP_PS * np.arange(frames)[:, None, None]
    phase, omega = (
        2.0 * np.pi * rng.random((8, 3)),
        30.0 + 5.0 * rng.random((8, 3)),
    )  # rad/ps: 160 cm⁻¹ and more
    amplitude = 0.05
    universe = MDAnalysis.Universe.empty(8, trajectory=True, velocities=velocities)
    universe.add_TopologyAttr("elements", list(numbers))
    universe.add_TopologyAttr("masses", np.where(numbers == "Na", 22.99, 35.45))
    universe.load_new(
        (sites + amplitude * np.sin(omega * t + phase)).astype(np.float32),
        velocities=(amplitude * omega * np.cos(omega * t + phase)).astype(np.float32) if velocities else None,
        format=MemoryReader,
        dt=STEP_PS,
        dimensions=np.array([5.6, 5.6, 5.6, 90.0, 90.0, 90.0], dtype=np.float32),
    )
    return universe


@pytest.mark.parametrize("velocities", [True, False], ids=["velocities", "positions"])
@pytest.mark.parametrize(
    ("backend", "workers", "parts"),
    [
        ("serial", None, None),
        ("serial", 3, None),
        ("multiprocessing", 2, 20),
        ("dask", 2, None),
    ],
)
@pytest.mark.filterwarnings("ignore:.*n_workers:UserWarning")  # of MDAnalysis: the serial backend has one
@pytest.mark.filterwarnings("ignore:.*has no velocities:bec_md.errors.BecMDWarning")  # in half of the cases
def test_every_backend_gives_the_same_bits(
    velocities: bool, backend: str, workers: int | None, parts: int | None
) -> None:
    universe = rock_salt(velocities=velocities)
    given = {**CHARGES, "timestep_fs": 2.0}
    whole = compute_current(universe, **given)
    analysis = PolarizationCurrent(universe, **given).run(backend=backend, n_workers=workers, n_parts=parts)
    found = analysis.results.series
    assert found.n_frames == (90 if velocities else 89)
    np.testing.assert_array_equal(analysis.frames, np.arange(90))
    np.testing.assert_array_equal(found.current, whole.current)
    np.testing.assert_array_equal(found.times_fs, whole.times_fs)
    assert found.groups == whole.groups


def test_units_are_those_of_the_universe() -> None:
    """J of one moving ion is its velocity in Å/ps, over a thousand, times its charge."""
    universe = rock_salt(velocities=True)
    found = PolarizationCurrent(universe, groups="atoms", timestep_fs=2.0, **CHARGES).run().results.series
    universe.trajectory[7]
    sign = np.where(universe.atoms.elements == "Na", 1.0, -1.0)
    expected = 1e-3 * sign[:, None] * universe.atoms.velocities
    np.testing.assert_allclose(found.current[7], expected, rtol=1e-6)  # single precision of MDAnalysis


def test_a_range_of_frames_and_its_spectrum() -> None:
    universe = rock_salt(velocities=True)
    turned = universe.atoms[::-1]  # all of them, in another order
    analysis = PolarizationCurrent(turned, timestep_fs=2.0, **CHARGES).run(start=10, stop=-5, step=3)
    whole = compute_current(universe, start=10, stop=85, stride=3, timestep_fs=2.0, **CHARGES)
    np.testing.assert_array_equal(analysis.results.series.current, whole.current)
    np.testing.assert_array_equal(analysis.frames, np.arange(10, 85, 3))
    options = {"temperature_k": 300.0, "eps_inf": 2.3, "resolution_cm": 150.0}
    spectrum = analysis.spectrum(**options)
    np.testing.assert_array_equal(spectrum.n_alpha, compute_spectrum(whole, **options).n_alpha)


def test_a_network_by_name_in_other_processes() -> None:
    universe = rock_salt(velocities=True, frames=12)
    whole = compute_current(universe, "universal", timestep_fs=2.0, threads=1)
    found = PolarizationCurrent(universe, "universal", timestep_fs=2.0).run(
        backend="multiprocessing", n_workers=2
    )
    series = found.results.series
    # batches of another size meet another order of summation: single precision of the network
    np.testing.assert_allclose(series.current, whole.current, atol=1e-5 * np.abs(whole.current).max())
    assert series.metadata["model"] == "universal"


def test_what_has_no_series_in_time_is_refused() -> None:
    universe = rock_salt(velocities=True)
    analysis = PolarizationCurrent(universe, timestep_fs=2.0, **CHARGES)
    with pytest.raises(UsageError, match="call run"):
        analysis.spectrum()
    with pytest.raises(UsageError, match="equal distance"):
        analysis.run(frames=[1, 2, 5])
    with pytest.raises(UsageError, match="positive `step`"):
        analysis.run(step=-1)
    with pytest.raises(UsageError, match="`groups="):
        PolarizationCurrent(universe.select_atoms("element Na"))
    with pytest.raises(UsageError, match="str is no Universe"):
        PolarizationCurrent("run.trr", **CHARGES)
    with pytest.raises(UsageError, match="start=…"):
        PolarizationCurrent(universe, stop=5)
    with pytest.raises(UsageError, match="timestep_fs"):
        PolarizationCurrent(universe, **CHARGES).run()
