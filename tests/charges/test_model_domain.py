"""Frames far from the training data of a model are recognized."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.data import chemical_symbols

from bec_md.bench.structures import quartz
from bec_md.charges.model import ModelCharges
from bec_md.network import load_model
from bec_md.network.config import NetworkConfig
from bec_md.network.registry import bundled_models
from bec_md.spectrum.errors.quality_checks import check_model_domain
from bec_md.structure import Frame
from bec_md.training.domain import domain_uncertainty


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


@pytest.mark.parametrize("name", sorted(bundled_models()))
def test_bundled_models_state_their_domain(name: str) -> None:
    model = load_model(name)
    if NetworkConfig(**model.config).charges_from.members == 1:  # no ensemble, no uncertainty, no domain
        assert "domain_uncertainty_e" not in model.card
        return
    domain = model.card["domain_uncertainty_e"]
    home = model.card.get("domain", {}).get("elements", model.elements)
    assert set(domain) == {chemical_symbols[number] for number in home}
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


def test_one_bad_stretch_is_seen() -> None:
    """Two percent of the frames outside are enough for a warning; the median does not hide them."""
    uncertainty = np.full(1000, 0.01)
    uncertainty[:20] = 0.05
    (check,) = check_model_domain(uncertainty, 0.02)
    assert check.status == "warn"
    assert check.value == pytest.approx(0.5)
