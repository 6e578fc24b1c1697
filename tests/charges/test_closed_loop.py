"""∮Z·du vanishes for tensors that derive from a polarization, and is the flux of their curl otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms

from bec_md.charges import ChargeBatch, closed_loop, make_charge_source
from bec_md.charges.closed_loop import loop_of_source
from bec_md.charges.constant import ConstantCharges
from bec_md.charges.per_frame import FrameCharges
from bec_md.current import compute_current
from bec_md.spectrum import compute_spectrum
from bec_md.trajectory import open_trajectory
from tests.current import toy


@dataclass(frozen=True)
class PairPolarization:
    """M = Σ_i q_i r_i + Σ_ij c exp(−r²/2s²) r_ij w_ij exactly; `twist` adds what is no derivative.

    The twist b ε_abc (r_i)_c has the constant curl ∂Z_iab/∂u_ic − ∂Z_iac/∂u_ib = 2 b ε_abc.
    """

    twist: float = 0.0
    origin: Any = 0.0
    constant: bool = False
    name: str = "pairs"
    fingerprint: str = "pairs"
    notes: tuple[str, ...] = ()

    def prepare(self, frame: object) -> PairPolarization:
        return self

    def evaluate(self, frames: Sequence[Any]) -> ChargeBatch:
        return ChargeBatch(np.stack([self.tensors(f.positions_ang) for f in frames]))

    def tensors(self, x: np.ndarray) -> np.ndarray:
        n = len(x)
        z = np.eye(3) * np.where(np.arange(n) % 2, 1.5, -1.5)[:, None, None]
        r = x[:, None] - x[None]  # r_i − r_j
        weight = np.sign(np.arange(n)[:, None] - np.arange(n))  # antisymmetric: pairs do not cancel
        width = 2.0
        bell = weight * np.exp(-(r**2).sum(-1) / (2 * width**2))
        # ∂/∂r_i of bell·r_ij, for both members of each pair
        z += np.einsum("ij,ab->iab", bell, np.eye(3)) - np.einsum("ij,ija,ijb->iab", bell, r, r) / width**2
        return z + self.twist * np.einsum("abc,ic->iab", LEVI_CIVITA, x - self.origin)


LEVI_CIVITA = np.zeros((3, 3, 3))
for a, b, c in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
    LEVI_CIVITA[a, b, c], LEVI_CIVITA[b, a, c] = 1.0, -1.0


def first_frame() -> Any:
    return next(open_trajectory(toy.trajectory(toy.oscillators(), 2, 1.0), timestep_fs=1.0).frames())


def test_a_polarization_comes_back() -> None:
    found = closed_loop(PairPolarization(), first_frame())
    assert found.gradient_e_per_ang > 0.1
    # trapezoidal rule of 12 points on a circle of 0.1 Å: (r/s)^11 of the gradient is left out
    assert found.residual_e_per_ang < 1e-10 * found.gradient_e_per_ang
    assert found.share < 1e-11
    assert found.evaluations == 24


def test_a_trained_polarization_comes_back_to_rounding() -> None:
    quartz = open_trajectory(Path(__file__).parents[2] / "examples/quartz/quartz_300K.npz")
    source = make_charge_source("model", info=quartz.info, model="silica").prepare(next(quartz.frames()))
    found = loop_of_source(source, next(quartz.frames()))
    assert found is not None
    assert found.share < 5e-6  # float32 sums over atoms and neighbors; tensors of no polarization: 5e-3


def test_the_residual_per_area_is_the_curl() -> None:
    twist = 0.3
    one = Atoms("Si", [[1.0, 2.0, 3.0]], cell=np.eye(3) * 8, pbc=True)
    one.set_velocities(np.zeros((1, 3)))
    frame = next(open_trajectory([one], timestep_fs=1.0).frames())
    # one atom, directions d₁, d₂ of length 1: ∮Z·du/area = 2 b d₂×d₁, over 3 components r.m.s. ≤ 2b/√3
    found = closed_loop(PairPolarization(twist=twist), frame, loops=400)
    # ⟨|d₁×d₂|²⟩ = 2/3 for random unit vectors; 400 loops know it to 3 %
    assert found.residual_e_per_ang == pytest.approx(2 * twist * np.sqrt(2 / 9), rel=0.1)
    # r.m.s. of ∂Z·d is half of the residual: the twist is purely antisymmetric
    assert found.gradient_e_per_ang == pytest.approx(0.5 * found.residual_e_per_ang, rel=1e-6)
    half = closed_loop(PairPolarization(twist=twist), frame, loops=20, radius_ang=0.05)
    whole = closed_loop(PairPolarization(twist=twist), frame, loops=20, radius_ang=0.1)
    assert half.residual_e_per_ang == pytest.approx(whole.residual_e_per_ang, rel=1e-9)


def test_constant_tensors_are_derivatives_and_stored_ones_cannot_be_tested() -> None:
    constant = loop_of_source(ConstantCharges(toy.tensors()), first_frame())
    assert constant is not None
    assert (constant.share, constant.evaluations) == (0.0, 0)
    assert loop_of_source(FrameCharges(), first_frame()) is None


@pytest.mark.parametrize(("twist", "status"), [(0.0, "ok"), (20.0, "warn")])
def test_the_quality_block_has_it(twist: float, status: str, tmp_path: Any) -> None:
    frames = toy.trajectory(toy.oscillators(), 40, 1.0)
    options = {"charges": PairPolarization(twist, toy.oscillators().centers), "timestep_fs": 1.0}
    current = compute_current(frames, output=tmp_path / "current.h5", **options)
    check = compute_spectrum(current, temperature_k=300.0, resolution_cm=2000.0).quality["closed_loop"]
    assert check.status == status
    assert "e/Å" in check.meaning
    again = compute_current(frames, output=tmp_path / "current.h5", **options)
    assert again.metadata["closed_loop"] == current.metadata["closed_loop"]
