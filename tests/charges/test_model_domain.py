"""Frames far from the training data of a model are recognized."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.data import chemical_symbols
from ase.spacegroup import crystal

from bec_md.bench.structures import quartz
from bec_md.charges.model import ModelCharges
from bec_md.network import load_model
from bec_md.network.config import NetworkConfig
from bec_md.network.familiarity import Doubt, Familiarity
from bec_md.network.registry import bundled_models
from bec_md.network.second_opinion import rms_difference
from bec_md.network.vacuum import vacuum_remark
from bec_md.spectrum.errors.quality_checks import check_model_domain
from bec_md.structure import Frame
from bec_md.training.domain import (
    domain_uncertainty,
    limit_of_unseen,
    means_of_structures,
    structures_of_elements,
    structures_of_limits,
)


def frame_of(atoms: Atoms) -> Frame:
    return Frame(
        positions_ang=atoms.positions,
        cell_ang=np.array(atoms.cell),
        pbc=atoms.pbc,
        numbers=atoms.numbers,
        masses_amu=atoms.get_masses(),
        velocities_ang_fs=None,
        time_fs=None,
    )


def test_quantile_of_each_element() -> None:
    numbers = np.repeat([8, 14], 101)
    spread = np.concatenate([np.linspace(0.0, 1.0, 101), np.linspace(0.0, 2.0, 101)])
    assert domain_uncertainty(numbers, spread) == pytest.approx({"O": 0.95, "Si": 1.9})


def test_of_replayed_structures_those_of_rare_elements_make_the_limits():
    """3 SiO of the new file, 60 NaCl and 40 SiO of one seen in part, and the one SiF at its end."""
    kinds = [(14, 8)] * 3 + [(11, 17)] * 60 + [(14, 8)] * 40 + [(14, 9)]
    numbers = np.concatenate(kinds)
    frame = np.repeat(np.arange(len(kinds)), 2)
    chosen = structures_of_limits(frame, numbers, [3, 101], [4.0, 0.03])
    assert chosen.tolist() == [0, 1, 2, *range(3, 23), *range(63, 80), 103]
    assert len(structures_of_limits(frame, numbers, [3, 101], [4.0, 1.0])) == len(kinds)


@pytest.mark.parametrize("symbols", ["Al", "NiAl", "MgO", "Sn2ZrNi", "Si", ""])
def test_of_metals_alone_the_network_has_nothing_to_say(symbols: str) -> None:
    known = Familiarity.of({"name": "universal"}, Atoms(symbols).get_chemical_symbols())
    assert ("neither Born effective charges nor ε∞" in (known.remark or "")) == (symbols in ("Al", "NiAl"))


@pytest.mark.parametrize(
    ("heights_ang", "pbc", "named"),
    [
        ((4.2, 4.2, 4.2), True, None),
        ((4.2, 4.2, 8.5), True, None),  # layers of a crystal
        ((4.2, 4.2, 14.0), True, "vacuum along c:"),
        ((4.2, 4.2, 4.2), (True, True, False), "vacuum along c:"),
        ((4.2, 12.0, 14.0), True, "vacuum along b and c:"),
        ((12.0, 12.0, 14.0), True, None),  # a molecule in a box
        ((4.2, 4.2, 0.0), (True, True, False), "vacuum along c:"),
        ((0.0, 0.0, 0.0), False, None),
    ],
)
def test_vacuum_beside_a_slab_is_named(heights_ang, pbc, named) -> None:
    """Its atoms lie on both sides of the border of the cell."""
    atoms = bulk("MgO", "rocksalt", a=4.2, cubic=True)
    atoms.positions -= [0.5, 0.5, 2.6]
    atoms.set_cell(heights_ang)
    atoms.pbc = pbc
    remark = vacuum_remark("universal", frame_of(atoms))
    assert remark is None if named is None else named in remark
    if named is not None:  # the same lattice
        atoms.set_cell(np.array([[1, 0, 0], [1, 1, 0], [1, 0, 1]]) @ atoms.cell.array)
        assert vacuum_remark("universal", frame_of(atoms)) == remark


@pytest.mark.parametrize("name", sorted(bundled_models()))
def test_bundled_models_state_their_domain(name: str) -> None:
    model = load_model(name)
    if (
        model.charges_from != "mean" and NetworkConfig(**model.config).charges_from.members == 1
    ):  # no ensemble, no uncertainty, no domain
        assert "domain_uncertainty_e" not in model.card
        return
    domain = model.card["domain_uncertainty_e"]
    home = model.card.get("domain", {}).get("elements", [])
    assert {chemical_symbols[number] for number in home} <= set(domain)
    assert set(domain) <= {chemical_symbols[number] for number in model.elements}
    assert all(0.0 <= value < 1.0 for value in domain.values())


def test_distorted_quartz_leaves_the_domain() -> None:
    """Thermal quartz lies inside; random displacements of 0.3 Å cut bonds and lead far outside."""
    source = ModelCharges("silica", threads=1)
    frame = frame_of(quartz(72, seed=1))
    source.prepare(frame)
    domain = source.details["domain_uncertainty_e"]
    noise = np.random.default_rng(1).normal(0.0, 0.3, frame.positions_ang.shape)
    broken = replace(frame, positions_ang=frame.positions_ang + noise)
    uncertainty = source.evaluate([frame, broken]).uncertainty_e
    assert uncertainty is not None
    (inside,) = check_model_domain(uncertainty[:1].mean(axis=1), domain)
    (outside,) = check_model_domain(uncertainty[1:].mean(axis=1), domain)
    assert inside.status == "ok"
    assert outside.status in ("warn", "fail")
    assert "100 % of the frames" in outside.meaning


@pytest.mark.parametrize("model", ["universal", "universal-mean"])
def test_the_uncertainty_grows_with_displacement(model: str) -> None:
    """Crystals at rest, which the networks have learned, and rattled by 0.05 to 0.2 Å."""
    anatase = crystal(
        ["Ti", "O"], [(0, 0, 0), (0, 0, 0.208)], spacegroup=141, cellpar=[3.785, 3.785, 9.514, 90, 90, 90]
    )
    sites = [(0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0)]
    titanate = crystal(["Sr", "Ti", "O"], sites, spacegroup=221, cellpar=[3.905] * 3 + [90] * 3)
    for atoms in (anatase, titanate.repeat(2), bulk("MgO", "rocksalt", a=4.21, cubic=True)):
        directions = np.random.default_rng(0).normal(size=(3, *atoms.positions.shape))
        means = []
        for width_ang in (0.0, 0.05, 0.1, 0.2):
            moved = [atoms.positions + width_ang * direction for direction in directions]
            frames = [replace(frame_of(atoms), positions_ang=positions) for positions in moved]
            means.append(np.mean(load_model(model).predict_batch(frames).uncertainty_e))
        assert np.all(np.diff(means) > 0.0), means
        assert means[-1] > 2.0 * means[0]


def test_one_bad_stretch_is_seen() -> None:
    """Two percent of the frames outside are enough for a warning; the median does not hide them."""
    uncertainty = np.full(1000, 0.01)
    uncertainty[:20] = 0.05
    (check,) = check_model_domain(uncertainty, 0.02)
    assert check.status == "warn"
    assert check.value == pytest.approx(0.5)


def quartz_frame(scale: float = 1.0) -> Frame:
    atoms = quartz(72, seed=1)
    atoms.set_cell(scale * atoms.cell.array, scale_atoms=True)
    return frame_of(atoms)


def test_auto_leaves_a_specialized_model_outside_of_its_domain() -> None:
    """Quartz is for `silica`; quartz pressed to half its volume is not."""
    source = ModelCharges("auto", threads=1)
    source.prepare(quartz_frame())
    assert source.model.name == "silica"
    source = ModelCharges("auto", threads=1)
    source.prepare(quartz_frame(0.8))
    assert source.model.name == "universal"
    assert source.details["model_chosen"] == "the first frame lies outside the domain of silica"
    named = ModelCharges("silica", threads=1)
    named.prepare(quartz_frame(0.8))
    assert named.model.name == "silica"  # what the user names is taken


def test_auto_takes_no_model_that_is_worse_than_universal_on_shipped_labels() -> None:
    """Every labelled system of ours, with the error of the choice against that of `universal`."""
    from pathlib import Path

    from bec_md.evaluation import evaluate_model
    from bec_md.structure.extxyz import read_frames

    folder = Path(__file__).parents[2] / "examples" / "labels"
    for path in sorted(folder.glob("*_test.xyz.xz")):
        if path.name.startswith("thermal"):
            continue  # each of its structures has other elements
        frames = read_frames(path)[:4]
        source = ModelCharges("auto", threads=1)
        source.prepare(frames[0])
        if source.model.name == "universal":
            continue
        chosen, universal = (evaluate_model(m, frames).metrics["rmse_e"] for m in (source.model, "universal"))
        assert chosen < universal, path.name


def test_rare_elements_are_named() -> None:
    """Cerium has eight training structures, and says so with the number."""
    for formula, said in (("CeO", "Ce (8)"), ("MgO", None)):
        atoms = bulk(formula, "rocksalt", a=4.21)
        source = ModelCharges("universal", threads=1)
        source.prepare(frame_of(atoms))
        assert (source.notes == ()) == (said is None)
        assert said is None or said in source.notes[0]


def test_universal_is_calibrated_on_unseen_compositions() -> None:
    """The limit of its domain is one number for all elements."""
    card = load_model("universal").card
    assert card["calibrated_on"] == "unseen compositions"
    assert len(set(card["domain_uncertainty_e"].values())) == 1


def test_difference_of_hand_made_tensors() -> None:
    """Each structure by itself: one whose only atom differs by 0.3 e in one of nine components, one alike."""
    tensors = np.zeros((3, 3, 3))
    others = tensors.copy()
    others[0, 1, 2] = 0.3
    found = rms_difference(tensors, others, np.array([0, 1, 1]))
    np.testing.assert_allclose(found, [0.1, 0.0])


def test_a_second_model_contradicts() -> None:
    """GaAs pressed to rock salt is a metal without Z*: members of one network agree, two networks do not."""
    source = ModelCharges("universal", threads=1)
    pressed = frame_of(bulk("GaAs", "rocksalt", a=5.25))
    source.prepare(pressed)
    spread = source.evaluate([pressed]).uncertainty_e
    assert spread is not None
    assert spread.mean() < source.details["domain_uncertainty_e"]
    (said,) = source.notes
    assert "(r.m.s.) from those of universal-polarization" in said
    source.prepare(frame_of(bulk("GaAs", "zincblende", a=5.65)))
    assert source.notes == ()


def test_a_part_of_a_large_structure_is_doubted() -> None:
    """Ten of a thousand atoms may exceed a limit by a quarter, however sure the rest is."""
    spread = np.full(1000, 0.01)
    spread[5:15] = 0.13
    doubt = Doubt.of(spread)
    assert (doubt.whole_e, doubt.part_e) == pytest.approx((0.0112, 0.13))
    assert doubt.over(0.1) == pytest.approx(1.04)
    assert Doubt.of(spread[:12], power=2).part_e == pytest.approx(np.sqrt((7 * 0.13**2 + 3 * 0.01**2) / 10))
    small = Doubt.of(spread[:8], power=2)
    assert small.whole_e == small.part_e == pytest.approx(np.sqrt((3 * 0.13**2 + 5 * 0.01**2) / 8))


def test_a_limit_that_one_environment_in_twenty_exceeds_is_none_of_parts() -> None:
    known = Familiarity.of({"domain_uncertainty_e": {"O": 0.1, "H": 0.1001}}, ["O", "H"] * 50)
    spread = np.full(100, 0.05)
    spread[:10] = 0.3
    assert not known.outside(Doubt.of(spread))
    assert known.unsure(Doubt.of(spread)) is None
    alike = Familiarity.of({"domain_uncertainty_e": {"O": 0.1, "H": 0.1}}, ["O", "H"] * 50)
    assert alike.outside(Doubt.of(spread))
    assert "0.3 e on average at the 10 atoms" in str(alike.unsure(Doubt.of(spread)))
    # where a second opinion is asked, it decides
    card = {
        "domain_uncertainty_e": {"O": 0.1, "H": 0.1},
        "second_opinion": {"model": "b", "difference_e": 0.1},
    }
    asked = Familiarity.of(card, ["O", "H"] * 50)
    assert not asked.outside(Doubt.of(spread), Doubt.of(np.full(100, 0.05)))
    assert asked.outside(Doubt.of(np.full(100, 0.05)), Doubt.of(spread))


@pytest.mark.parametrize("model", ["universal", "universal-mean"])
def test_one_unknown_molecule_among_many_known_atoms_is_said(model: str) -> None:
    """SiH3–SiH3 in the middle of 216 atoms of MgO, of which the models are sure."""
    oxide = bulk("MgO", "rocksalt", a=4.21, cubic=True).repeat(3)
    source = ModelCharges(model, threads=1)
    source.prepare(frame_of(oxide))
    assert source.notes == ()
    guest = molecule("Si2H6")
    guest.positions += oxide.cell.sum(axis=0) / 2 - guest.positions.mean(axis=0)
    distances = np.linalg.norm(oxide.positions[:, None] - guest.positions, axis=-1).min(axis=1)
    oxide = oxide[distances > 2.2] + guest
    source.prepare(frame_of(oxide))
    spread = source.evaluate([frame_of(oxide)]).uncertainty_e
    assert spread is not None
    assert spread.mean() < source.details["domain_uncertainty_e"]
    assert any("at the 10 atoms where it is largest" in note for note in source.notes), source.notes


def test_second_opinions_are_mutual() -> None:
    """Both models state the same difference, which an eighth of the held-back compositions exceeds."""
    first, second = (
        load_model(name).card["second_opinion"] for name in ("universal", "universal-polarization")
    )
    assert (first["model"], second["model"]) == ("universal-polarization", "universal")
    assert first["difference_e"] == pytest.approx(second["difference_e"], rel=1e-5)


def test_limit_and_counts_of_a_hand_made_set() -> None:
    """Four structures with mean uncertainties 1 to 4; the third quartile is 3.25."""
    frame = np.array([0, 0, 1, 1, 2, 3])
    spread = np.array([0.5, 1.5, 1.0, 3.0, 3.0, 4.0])
    means = means_of_structures(frame, spread)
    np.testing.assert_allclose(means, [1, 2, 3, 4])
    assert limit_of_unseen([means[:3], means[3:]], flagged=0.25) == pytest.approx(3.25)
    counts = structures_of_elements(frame, np.array([8, 8, 8, 14, 14, 1]))
    assert counts == {"H": 1, "O": 2, "Si": 2}


def test_auto_with_a_level_of_theory_is_decided_by_the_first_frame() -> None:
    frame = frame_of(bulk("MgO", "rocksalt", a=4.21))
    source = ModelCharges("auto@pbe").prepare(frame)
    assert (source.model.name, source.model.level) == ("universal", "pbe")
    again = pickle.loads(pickle.dumps(source))  # as in another process
    tensors = load_model("universal@pbe").predict_batch([frame]).born_effective_charges
    np.testing.assert_array_equal(again.evaluate([frame]).born_effective_charges, tensors)
