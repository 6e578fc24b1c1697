"""What is measured: the shipped network as users run it, and its PyTorch reference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bec_md.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from ase import Atoms
    from numpy.typing import NDArray

    from bec_md.network.predictor import BecModel

Run = Callable[["Sequence[Atoms]"], object]

#: Names of the contestants in tables and JSON.
NATIVE, TORCH = "native", "torch"
#: Z* of all atoms, where a spectrum needs J alone.
TENSORS = "native, Z*"
#: Atoms in one call. PyTorch is fastest while its per-edge arrays fit the caches.
NATIVE_ATOMS, TORCH_ATOMS = 4096, 300


@dataclass(frozen=True, slots=True)
class Contestant:
    """A network that turns structures into tensors.

    Parameters
    ----------
    name
        Key of the result.
    run
        Evaluates frames of one system.
    batch_atoms
        About so many atoms are evaluated in one call.
    """

    name: str
    run: Run
    batch_atoms: int

    def frames_for(self, n_atoms: int) -> int:
        """Frames in one call."""
        return max(1, self.batch_atoms // n_atoms)


def per_frame(model: BecModel) -> Run:
    """What a spectrum needs of every frame: Z* of direct models, J of those that predict a polarization."""
    if model.charges_from == "charges":
        return model.predict_batch
    return lambda frames: model.current(frames, velocities_of(frames))


def velocities_of(frames: Sequence[Atoms]) -> NDArray[np.float64]:
    """Velocities to differentiate along, (F, N, 3) Å/fs; what they are does not change the time."""
    import numpy as np

    return np.random.default_rng(0).normal(scale=0.01, size=(len(frames), len(frames[0]), 3))


def native_contestant(model: BecModel) -> Contestant:
    """The shipped path, with batches as `bec-md current` makes them."""
    return Contestant(NATIVE, per_frame(model), NATIVE_ATOMS)


def tensor_contestant(model: BecModel) -> Contestant:
    """Z* of all atoms, uncertainties and ε∞: what `predict` runs."""
    return Contestant(TENSORS, model.predict_batch, NATIVE_ATOMS)


def torch_contestant(model: BecModel, threads: int) -> Contestant:
    """The same network by PyTorch and e3nn: the reference, and the way without a compiler."""
    evaluate = per_frame(model)

    def run(frames: Sequence[Atoms]) -> object:
        """Evaluate frames with the reference in PyTorch."""
        set_torch_threads(threads)
        return evaluate(frames)

    return Contestant(TORCH, run, TORCH_ATOMS)


def set_torch_threads(threads: int) -> None:
    """Set the number of threads of PyTorch."""
    import torch

    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)


def load(model: str, atoms: Atoms, threads: int) -> tuple[BecModel | None, BecModel]:
    """Return the model in the native engine (None where there is none) and in the reference.

    Raises
    ------
    UsageError
        If the model does not know an element of the structure.
    """
    from bec_md.network import load_model
    from bec_md.network.native import native_status

    reference = load_model(model, engine="torch", structures=[atoms])
    missing = sorted(set(atoms.numbers.tolist()) - set(reference.elements))
    if missing:
        from ase.data import chemical_symbols

        raise UsageError(
            f"model {reference.name} does not know {', '.join(chemical_symbols[z] for z in missing)}",
            "the structures of the benchmark are quartz and water",
            "choose fitting ones with `systems`, or another `model`",
        )
    if not native_status().available:
        return None, reference
    native = load_model(reference.path, engine="native", threads=threads)
    return native, reference
