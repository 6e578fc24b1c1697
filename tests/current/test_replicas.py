"""Several currents as one: what is refused, what is said, and what is kept of each."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bec_md.current.joined import in_runs
from bec_md.current.lazy_rows import JoinedRows
from bec_md.current.provenance import first_source
from bec_md.current.series import CurrentSeries
from bec_md.errors import BecMDWarning, UsageError
from bec_md.spectrum.compute import compute_spectrum
from bec_md.spectrum.store import load_spectrum, write_hdf5
from tests.spectrum.exact import atoms_series, kt_amu

OPTIONS: dict[str, Any] = {"resolution_cm": 500.0, "dc": False}
MASSES = {"Mg": 24.305, "O": 15.999}


def run(
    seed: int,
    *,
    species: str = "Mg O Mg O Mg O Mg O",
    charges: dict[str, float] | None = None,
    temperature_k: float = 300.0,
    masses: dict[str, float] | None = None,
    volume_ang3: float = 75.0,
    label: str | None = None,
    **metadata: Any,
) -> CurrentSeries:
    """Velocities without correlation at a temperature, with fixed charges."""
    symbols = species.split()
    each = {"Mg": 2.0, "O": -2.0} if charges is None else charges
    mass = np.array([({**MASSES, **(masses or {})})[s] for s in symbols])
    v = np.random.default_rng(seed).normal(size=(1000, len(symbols), 3)) * np.sqrt(
        kt_amu(temperature_k) / mass[:, None]
    )
    v -= np.einsum("i,tia->ta", mass, v)[:, None] / mass.sum()
    scalars = np.array([each[s] for s in symbols])
    label = label or "fixed:" + ",".join(f"{name}={value:g}" for name, value in each.items())
    known = {
        "charges": label,
        "charges_hash": f"{each} {species}".replace(":", "="),
        "source": f"run{seed}.xyz",
    }
    tensors = np.eye(3) * scalars[:, None, None]
    return atoms_series(
        v, tensors, mass, symbols, 1.0, volume_ang3=volume_ang3, metadata={**known, **metadata}
    )


@contextmanager
def silent() -> Iterator[None]:
    """No warning may come."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (run(2, charges={"Mg": 1.0, "O": -1.0}), r"replica 1 \(run2.xyz\) has charges fixed:Mg=1,O=-1"),
        (run(2, charges={"Mg": 2.0, "O": 2.0}), "has charges"),  # of the same squares
        (run(2, charges_hash="another"), None),  # the same tensors in another order of atoms
        (run(2, charges={"Mg": 1.0, "O": -1.0}, label="fixed:Mg=2,O=-2"), "others of that name"),
        (run(2, species="Mg O " * 8), "16 atoms"),
        (run(2, species="Mg O Mg O Mg O Mg Mg"), "8 atoms .5 Mg, 3 O."),
        (run(2, masses={"O": 17.999}), "weighs 17.999 amu"),
        (run(2, masses={"O": 16.0}), None),  # fewer digits
        (replace(run(2), total_charge_e=1.0), "net charge"),
        (run(2, charges={"Mg": 1.0, "O": -1.0}, charges_hash=None), None),  # another code does not say
    ],
)
def test_replicas_are_one_system(other: CurrentSeries, said: str | None) -> None:
    first = run(1)
    if said is None:
        with silent():
            assert compute_spectrum([first, other], **OPTIONS).parameters["n_replicas"] == 2
        return
    with pytest.raises(UsageError, match=said):
        compute_spectrum([first, other], **OPTIONS)
    with pytest.raises(UsageError):
        compute_spectrum([other, first], **OPTIONS)


def test_rigid_and_flexible_molecules_are_no_replicas() -> None:
    rigid, flexible = run(1, constraints=8), run(2, constraints=0)  # of 21 degrees of freedom
    for pair in ([rigid, flexible], [flexible, rigid]):
        with pytest.raises(UsageError, match=r"replica . .run1.xyz. moves with 13 degrees of freedom"):
            compute_spectrum(pair, **OPTIONS)
    assert compute_spectrum([rigid, flexible], constraints=8, **OPTIONS).parameters["constraints"] == 8
    for other in (
        run(2, constraints=7),
        run(2),
    ):  # one that hardly moved in the first frames; of another code
        with silent():
            assert compute_spectrum([other, rigid], **OPTIONS).parameters["constraints"] == 8


def test_a_network_on_another_processor_is_the_same_network() -> None:
    other = run(2, charges={"Mg": 1.9, "O": -1.9}, charges_hash="5e8a:avx2")
    with silent():
        compute_spectrum([run(1, charges_hash="5e8a:avx512"), other], **OPTIONS)
    with pytest.raises(UsageError, match="charges"):
        compute_spectrum([run(1, charges_hash="77aa:avx2"), other], **OPTIONS)


def test_temperatures_that_differ_are_said_with_both_numbers_and_kept() -> None:
    with pytest.warns(BecMDWarning, match=r"(29|30)\d.* K of .*run1.*, (59|60)\d.* K of .*run2") as told:
        found = compute_spectrum([run(1), run(2, temperature_k=600.0)], **OPTIONS)
    assert [str(told[0].message)] == found.metadata["warnings"]
    with pytest.warns(BecMDWarning, match="temperatures of replicas differ"):  # also where one is given
        compute_spectrum([run(1), run(2, temperature_k=600.0)], temperature_k=300.0, **OPTIONS)


def test_energies_of_independent_short_runs_may_differ() -> None:
    # 21 degrees of freedom: runs at constant energy, begun from 300 K, scatter by 65 K
    with silent():
        compute_spectrum([run(1, temperature_k=270.0), run(2, temperature_k=350.0)], **OPTIONS)
    stated = [replace(run(seed), temperature_k=value) for seed, value in ((1, 270.0), (2, 350.0))]
    with pytest.warns(BecMDWarning, match="270 K"):  # a number that a file states has no such error
        compute_spectrum(stated, **OPTIONS)


def test_densities_that_differ_are_said() -> None:
    with silent():  # replicas at constant pressure
        compute_spectrum([run(1), run(2, volume_ang3=77.0)], **OPTIONS)
    with pytest.warns(BecMDWarning, match="9.375 Å³ per atom .* 11.25 Å³"):
        compute_spectrum([run(1), run(2, volume_ang3=90.0)], **OPTIONS)


def test_all_replicas_are_in_the_metadata(tmp_path: Path) -> None:
    """Sources and hashes of all, and what was said of any of them, whatever their order."""
    whole = run(1, input_hash="aa", warnings=["noisy"], format="extxyz", n_atoms=8)
    cut = run(2, input_hash="bb", warnings=["run2.xyz is cut off", "noisy"], format="extxyz", n_atoms=8)
    for order in ([whole, cut], [cut, whole]):
        spectrum = compute_spectrum(order, **OPTIONS)
        write_hdf5(spectrum, tmp_path / "s.h5")
        stored = load_spectrum(tmp_path / "s.h5")
        named = [one.metadata["source"] for one in order]
        for found in (spectrum, stored):
            assert found.metadata["source"] == ", ".join(named)
            assert set(found.metadata["input_hash"].split(", ")) == {"aa", "bb"}
            assert [one["source"] for one in found.metadata["replicas"]] == named
            assert sorted(found.metadata["warnings"]) == ["noisy", "run2.xyz is cut off"]
            assert found.metadata["format"] == "extxyz"
            assert found.metadata["n_atoms"] == 8


def test_replicas_of_one_name_have_it_once() -> None:
    found = compute_spectrum([run(1, source="run.xyz"), run(2, source="run.xyz")], **OPTIONS)
    assert found.metadata["source"] == "run.xyz, run.xyz"
    assert first_source(found.metadata) == "run.xyz"


def test_the_worst_closed_loop_of_all_replicas_is_checked() -> None:
    loop = {
        "share": 0.01,
        "loops": 9,
        "radius_ang": 0.1,
        "residual_e_per_ang": 0.0,
        "gradient_e_per_ang": 1.0,
    }
    one, other = run(1, closed_loop=loop), run(2, closed_loop={**loop, "share": 0.5})
    for order in ([one, other], [other, one]):
        check = compute_spectrum(order, **OPTIONS).quality["closed_loop"]
        assert (check.value, check.status) == (0.5, "fail")


def test_a_single_current_keeps_its_metadata() -> None:
    one = run(1, input_hash="aa", warnings=["noisy"])
    assert compute_spectrum(one, **OPTIONS).metadata == one.metadata


def test_parts_keep_their_hashes_and_warnings_and_have_one_kind_of_charges() -> None:
    whole = run(1)
    first, second = whole[:500], whole[500:]
    second = replace(second, metadata={**whole.metadata, "input_hash": "bb", "warnings": ["cut off"]})
    first = replace(first, metadata={**whole.metadata, "input_hash": "aa"})
    (joined,) = in_runs([first, second], ["a.xyz", "b.xyz"])
    assert joined.metadata["source"] == "a.xyz + b.xyz"
    assert joined.metadata["input_hash"] == "aa + bb"
    assert joined.metadata["warnings"] == ["cut off"]
    assert [one["input_hash"] for one in joined.metadata["parts"]] == ["aa", "bb"]
    weak = run(1, charges={"Mg": 1.0, "O": -1.0})[500:]
    assert len(in_runs([first, weak], ["a.xyz", "b.xyz"])) == 2  # no run has two kinds of charges


def test_titles_name_the_first_of_many() -> None:
    from bec_md.export.seen import Seen  # the title of an export

    spectrum = compute_spectrum([run(seed) for seed in range(1, 6)], **OPTIONS)
    assert Seen(spectrum).source == "run1.xyz and 4 more"
    assert Seen(compute_spectrum(run(1), **OPTIONS)).source == "run1.xyz"


def test_replicas_may_have_their_atoms_in_any_order() -> None:
    first, other = run(1, charges_hash="a"), run(2, species="O Mg O Mg O Mg O Mg", charges_hash="b")
    assert (first.groups, other.groups) == (("Mg", "O"), ("O", "Mg"))
    ordered = other.in_order(first.groups)
    np.testing.assert_array_equal(ordered.read("momentum", slice(0, 9)), other.momentum[:9, ::-1])
    np.testing.assert_array_equal(ordered.total(), other.total())
    lazy = replace(other, current=JoinedRows((other.current[:300], other.current[300:])))
    np.testing.assert_array_equal(lazy.in_order(first.groups)[7:].total(), other[7:].total())
    with silent():
        known, found = (compute_spectrum([first, one], **OPTIONS) for one in (ordered, other))
    for name in ("Mg", "O"):
        np.testing.assert_array_equal(found.partial_n_alpha[name], known.partial_n_alpha[name])
    np.testing.assert_array_equal(found.sigma, known.sigma)
    numbered = replace(other, metadata={**other.metadata, "sublattices": True})
    with pytest.raises(UsageError, match="has groups"):  # the second sublattice of one may be another site
        compute_spectrum([first, numbered], **OPTIONS)
