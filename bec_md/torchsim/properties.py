r"""Functions of a TorchSim state that `torch_sim.TrajectoryReporter` writes while its simulations run.

TorchSim keeps Å, eV and amu; its velocities are in √(eV/amu), which is the unit of ASE.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bec_md.arrays import Array
from bec_md.charges.sum_rule import correct_equal
from bec_md.errors import UsageError
from bec_md.network.loading import SuitableModel
from bec_md.structure import Frame
from bec_md.structure.names import VELOCITY_UNITS

if TYPE_CHECKING:
    from torch import Tensor

    from bec_md.network import BecModel


def property_calculators(
    model: BecModel | str | Path = "auto",
    names: Sequence[str] = ("polarization_current",),
    **options: Any,
) -> dict[str, Callable[[Any], Tensor]]:
    r"""Return functions of a state for ``TrajectoryReporter(…, prop_calculators={interval: …})``.

    Parameters
    ----------
    model
        A loaded network, or the name or path of one.
    names
        What to calculate: ``polarization_current``, J = Σ Z* v, (3,) in e Å/fs; ``polarization``, the cell
        dipole by volume, (3,) in e/Å², of models whose tensors derive from one (positions as the state has
        them); ``born_effective_charges``, (N, 3, 3) in e; ``dielectric_tensor``, ε∞, (3, 3).
    **options
        Of `bec_md.network.load_model`: ``device``, ``threads``, ….

    Returns
    -------
    dict
        Name → function of a state, which returns a tensor.

    Raises
    ------
    UsageError
        For an unknown name; when it is calculated, for several systems in one state, a state without
        velocities, or a model without what is asked for.
    """
    unknown = [name for name in names if name not in _PROPERTIES]
    if unknown:
        raise UsageError(
            f"no property {unknown[0]!r}", "a network has these", f"choose from {', '.join(_PROPERTIES)}"
        )
    network = SuitableModel(model, options)

    def calculator(name: str) -> Callable[[Any], Tensor]:
        """Return the function of one property."""

        def calculate(state: Any) -> Tensor:
            """Calculate it for one system."""
            import torch

            frame = _frame(state)
            return torch.as_tensor(np.array(_PROPERTIES[name](network.of(frame), frame)))

        return calculate

    return {name: calculator(name) for name in names}


def _frame(state: Any) -> Frame:
    """Return the one system of a state."""
    if int(state.n_systems) != 1:
        raise UsageError(
            f"{int(state.n_systems)} systems in one state",
            "a spectrum belongs to one of them",
            "let TrajectoryReporter split the state, or call it for state[i]",
        )
    velocities = getattr(state, "velocities", None)
    return Frame(
        positions_ang=_plain(state.positions),
        cell_ang=_plain(state.row_vector_cell)[0],
        pbc=np.broadcast_to(np.asarray(_plain(state.pbc), dtype=bool), 3).copy(),
        numbers=_plain(state.atomic_numbers).astype(np.int64),
        masses_amu=_plain(state.masses),
        velocities_ang_fs=None if velocities is None else VELOCITY_UNITS["ase"] * _plain(velocities),
    )


def _plain(tensor: Any) -> Array:
    values = tensor.detach().cpu().numpy() if hasattr(tensor, "detach") else tensor
    return np.asarray(values, dtype=np.float64)


def _charges(model: BecModel, frame: Frame) -> Array:
    return correct_equal(model.predict_batch([frame]).born_effective_charges[0])


def _current(model: BecModel, frame: Frame) -> Array:
    if frame.velocities_ang_fs is None:
        raise UsageError(
            "a state without velocities",
            "the current is that of moving charges",
            "report it during dynamics (torch_sim.integrate), not of a static state",
        )
    if model.charges_from != "charges":
        return np.asarray(model.current([frame], frame.velocities_ang_fs[None]).current[0].sum(axis=0))
    return np.asarray(np.einsum("iab,ib->a", _charges(model, frame), frame.velocities_ang_fs))


def _polarization(model: BecModel, frame: Frame) -> Array:
    still = np.zeros((1, len(frame.numbers), 3))
    found = model.current([frame], still).polarization if model.charges_from == "dipole" else None
    if found is None:
        raise UsageError(
            f"model {model.name} has no polarization",
            "its tensors derive from none",
            "take a model of a polarization (`bec-md models`), or integrate the current",
        )
    return np.asarray(found[0]) / frame.volume_ang3


def _eps_inf(model: BecModel, frame: Frame) -> Array:
    eps = np.asarray(model.predict_batch([frame]).eps_inf[0])
    if not np.isfinite(eps).all():
        raise UsageError(
            f"model {model.name} was trained without ε∞", "it cannot predict it", "take universal"
        )
    return eps


_PROPERTIES: dict[str, Callable[[BecModel, Frame], Array]] = {
    "polarization_current": _current,
    "polarization": _polarization,
    "born_effective_charges": _charges,
    "dielectric_tensor": _eps_inf,
}
