"""A model ready for use: frames in, Born effective charges out."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import Array, ByFrame
from bec_md.errors import BecMDWarning, DataError, UsageError
from bec_md.kinds import require_kind
from bec_md.network.config import NetworkConfig
from bec_md.network.model_file import content_hash, load_network, read_header
from bec_md.network.request import TENSORS, Answers, Request
from bec_md.network.vacuum import open_remark
from bec_md.pending import Pending
from bec_md.structure.from_ase import as_frame

if TYPE_CHECKING:
    from ase import Atoms

    from bec_md.network.torch_engine import Precision
    from bec_md.structure import Frame

EngineName = Literal["auto", "native", "torch"]


@dataclass(frozen=True, slots=True, repr=False)
class Prediction(ByFrame):
    """What a model says about F frames of N atoms."""

    born_effective_charges: Array  # (F, N, 3, 3) e, mean over the ensemble, Σ_i Z_i = Q·1
    members: Array  # (F, M, N, 3, 3) e; M = 1, the mean, where members were not asked for
    uncertainty_e: Array  # (F, N) calibrated standard error of one component, e; NaN if M = 1
    eps_inf: Array  # (F, 3, 3); NaN where the model was trained without ε∞, or there is no cell


@dataclass(frozen=True, slots=True, repr=False)
class PredictedCurrent(ByFrame):
    """Currents J = dP/dt of G groups of atoms in F frames, and what comes with them."""

    current: Array  # (F, G, 3) e Å/fs, mean over the ensemble
    members: Array  # (F, M, G, 3) e Å/fs
    polarization: Array | None  # (F, 3) e Å of the positions as given; None if the tensors derive from none


class Engine(Protocol):
    """Evaluates the network for frames with equal atoms."""

    name: str

    def evaluate(self, frames: Sequence[Frame | Atoms], request: Request = TENSORS) -> Answers:
        """Answer what is asked for, by name."""
        ...

    def ionic_charges(self) -> Array:
        """Charge of each element that moves with the atoms, where the read-out is a dipole, e."""
        ...


class BecModel:
    """A trained network with its card.

    Parameters
    ----------
    path
        Model file.
    device
        ``cpu`` or a CUDA device of PyTorch.
    engine
        ``native`` is the compiled evaluator (CPU), ``torch`` the reference; ``auto`` takes the native one
        on the CPU when it is available.
    threads
        CPU threads of the engine.
    level
        Level of theory whose labels to imitate; the card's default when not given.
    precision
        Of matrix products in PyTorch: ``float32``, or ``tf32`` or ``bfloat16`` where they change Z* by less
        than 10⁻⁴ e.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        device: str = "cpu",
        engine: EngineName = "auto",
        threads: int | None = None,
        level: str | None = None,
        precision: Precision = "float32",
    ) -> None:
        self.path = Path(path)
        header = read_header(self.path)
        self.card: dict[str, Any] = header["card"]
        self.config = header["config"]
        #: ``charges``, ``dipole`` (they derive from a polarization), or ``mean`` of networks of both kinds.
        self.charges_from = "mean" if "mean_of" in header else NetworkConfig(**self.config).charges_from.name
        self.name: str = str(self.card.get("name", self.path.stem))
        self.elements: tuple[int, ...] = tuple(self.config["elements"])
        self.cutoff_ang = float(self.config["cutoff_ang"])
        self.level = self._pick_level(level)
        self._shares: dict[str, float] = header.get("mean_of", {})
        content = content_hash(self.path, header)[:16]
        self.fingerprint = f"{content}:{self.level}" + ("" if precision == "float32" else f":{precision}")
        self.calibration = float(self.card.get("uncertainty_scale", 1.0))
        self.predicts_eps_inf = bool(self.card.get("eps_inf_trained", True))
        self.reason = ""
        self.engine_note = ""
        self.engine: Engine = self._make_engine(engine, device, threads, precision)
        self._made = {"device": device, "engine": engine, "threads": threads, "precision": precision}

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process loads the file anew."""
        return _loaded_again, (self.path.absolute(), self.reason, {**self._made, "level": self.level})

    def __repr__(self) -> str:
        from bec_md.notebook import model_line

        return model_line(self)

    def _repr_html_(self) -> str:
        from bec_md.notebook import model_html

        return model_html(self)

    def predict(self, atoms: Atoms | Frame) -> Array:
        """Born effective charges of one structure, (N, 3, 3) in e; Z[i, a, b] = ∂M_a/∂u_ib."""
        result: Array = self.predict_batch([atoms], members=False).born_effective_charges[0]
        if remark := open_remark(as_frame(atoms)):
            warnings.warn(BecMDWarning(remark), stacklevel=2)
        return result

    def predict_batch(self, frames: Sequence[Frame | Atoms], *, members: bool = True) -> Prediction:
        """Tensors and ε∞ of frames with equally many atoms.

        Without `members` the uncertainty is left out, which saves time where tensors are derivatives.
        """
        frames = list(frames)  # they may be asked for once
        for frame in frames:
            require_kind(
                frame,
                "numbers",
                "structure",
                "give an ase.Atoms or a Frame; several, of one size, to `predict_batch`",
            )
        self._check_frames(frames)
        return self._prediction(self.engine.evaluate(frames, Request(members=members)))

    def current(
        self,
        frames: Sequence[Frame | Atoms],
        velocities: Array,
        groups: NDArray[np.integer[Any]] | None = None,
    ) -> PredictedCurrent:
        """Current J = dP/dt = Σ_i Z_i v_i of frames of the same atoms, for every member of the ensemble.

        Where Z* derives from a polarization, J is one derivative along the velocities, without Z*.

        Parameters
        ----------
        frames
            F frames of N atoms.
        velocities
            (F, N, 3), Å/fs.
        groups
            (N,) group of each atom, 0 … G − 1, or −1 for none; all atoms are of one group when not given.

        Returns
        -------
        PredictedCurrent
            J in e Å/fs of every frame, group and member.

        Raises
        ------
        DataError
            If velocities or groups are not those of these frames.
        """
        frames = list(frames)
        self._check_frames(frames)
        n_atoms = len(frames[0].numbers)
        velocities = np.asarray(velocities)
        group = np.zeros(n_atoms, dtype=np.int64) if groups is None else np.asarray(groups)
        if velocities.shape != (len(frames), n_atoms, 3) or group.shape != (n_atoms,):
            raise DataError(
                f"velocities of shape {velocities.shape} and groups of shape {group.shape} for {len(frames)} "
                f"frame(s) of {n_atoms} atoms",
                "every atom of every frame has a velocity, and every atom a group",
                f"give velocities as ({len(frames)}, {n_atoms}, 3), groups as ({n_atoms},)",
            )
        count = int(group.max(initial=0)) + 1
        lanes = np.where(group[:, None] == np.arange(count), 1.0, 0.0)[..., None] * velocities[:, :, None]
        found = self.currents(frames, lanes)
        moment = found.get("polarization")
        return PredictedCurrent(
            found["current"].mean(axis=1), found["current"], None if moment is None else moment.mean(axis=1)
        )

    def currents(self, frames: Sequence[Frame | Atoms], lanes: Array) -> Answers:
        """``current`` along velocities (F, N, G, 3) of G groups, and ``polarization`` where there is one."""
        if self.charges_from == "charges":
            charges = self.engine.evaluate(frames)["charges"]
            return {"current": np.einsum("fmnab,fngb->fmga", charges, lanes, optimize=True)}
        return self.engine.evaluate(frames, Request(("current", "polarization"), velocities=lanes))

    def ionic_charges(self, frame: Frame | Atoms) -> Array:
        """Charges q_i of P = Σ_i q_i r_i + Σ_j p_j, (N,) e: what P gains when an atom is taken to its image.

        Raises
        ------
        UsageError
            If the tensors of this model derive from no polarization.
        """
        if self.charges_from != "dipole":
            raise UsageError(
                f"model {self.name} has no polarization",
                "its tensors are nobody's derivative",
                "take a model whose read-out is a dipole",
            )
        structure = as_frame(frame)
        by_number = dict(zip(self.elements, self.engine.ionic_charges().tolist(), strict=True))
        charges = np.array([by_number[int(number)] for number in structure.numbers])
        return np.asarray(charges - (charges.sum() - structure.total_charge) / len(charges))

    def submit(self, frames: Sequence[Frame | Atoms], *, members: bool = True) -> Pending[Prediction]:
        """Start a prediction. On a GPU this returns at once; on the CPU `result` does the work.

        At most two should be under way: one being computed, one being prepared.
        """
        start = getattr(self.engine, "submit", None)
        if start is None or not frames:
            return Pending(lambda: self.predict_batch(frames, members=members))
        self._check_frames(frames)
        submitted = start(frames, Request(members=members))
        return Pending(lambda: self._prediction(submitted.result()))

    def _prediction(self, answers: Answers) -> Prediction:
        members = answers["charges"]
        mean = members.mean(axis=1)  # (F, N, 3, 3)
        deviations = members - mean[:, None]
        others = members.shape[1] - 1 or np.nan  # a single member says nothing of its error
        variance = np.einsum("fmnab,fmnab->fn", deviations, deviations) / (9 * others)
        spread = self.calibration * np.sqrt(variance)
        return Prediction(mean, members, spread, self._known(answers["eps_inf"]))

    def _known(self, eps_inf: Array) -> Array:
        """ε∞, or NaN where the model was trained without it or the volume is zero."""
        return np.where(self.predicts_eps_inf & np.isfinite(eps_inf), eps_inf, np.nan)

    def _pick_level(self, level: str | None) -> str:
        levels: list[str] = self.config["levels"]
        chosen = level or str(self.card.get("default_level", levels[0]))
        if chosen not in levels:
            raise UsageError(
                f"model {self.name} has no level of theory {chosen!r}",
                "its labels come from other calculations",
                f"choose one of: {', '.join(levels)}",
            )
        return chosen

    def _make_engine(
        self, engine: EngineName, device: str, threads: int | None, precision: Precision
    ) -> Engine:
        if precision not in ("float32", "tf32", "bfloat16"):
            raise UsageError(
                f"there is no precision {precision!r}",
                "matrix products are done in float32 or faster with fewer digits",
                "use 'float32', 'tf32' or 'bfloat16'",
            )
        if engine == "native" and precision != "float32":
            raise UsageError(
                f"the native engine has no precision {precision!r}",
                "it is compiled C++ in float32",
                'use engine="torch", or leave precision out',
            )
        if engine == "native" and device != "cpu":
            raise UsageError(
                f"the native engine does not run on {device}",
                "it is compiled for the CPU",
                "use `device=cpu`, or the torch engine",
            )
        if threads is not None and threads < 1:
            raise UsageError(
                f"`threads={threads}` is not a positive number",
                "the model needs one at least",
                "give a `threads` above 0, or leave it",
            )
        if self._shares:
            from bec_md.network.mean import MeanEngine

            options: dict[str, Any] = {"device": device, "engine": engine, "threads": threads}
            parts = [BecModel(p, level=self.level, precision=precision, **options) for p in self._shares]
            self.engine_note = parts[0].engine_note
            if all(part.charges_from == "charges" for part in parts):
                self.charges_from = "charges"
            return MeanEngine(parts, list(self._shares.values()))
        if engine in ("auto", "native") and device == "cpu" and precision == "float32":
            from bec_md.network.native import NativeEngine, native_status

            status = native_status()
            if status.available:
                return NativeEngine(self.path, self.level, threads=threads)
            if engine == "native":
                raise UsageError("the native engine is not available", status.reason, status.fix)
            self.engine_note = f"native engine not available ({status.reason}); using PyTorch, slower"
        check_device(device)
        if threads is not None and device == "cpu":
            import torch

            torch.set_num_threads(threads)
        from bec_md.network.torch_engine import TorchEngine

        level = self.config["levels"].index(self.level)
        return TorchEngine(load_network(self.path), level, device, precision=precision)

    def _check_frames(self, frames: Sequence[Frame | Atoms]) -> None:
        if not frames:
            raise UsageError("no frames to predict", "the batch is empty", "give at least one frame")
        counts = sorted({len(frame.numbers) for frame in frames})
        if counts[0] == 0 or len(counts) > 1:
            raise UsageError(
                f"a batch of frames with {' and '.join(map(str, counts))} atoms",
                "its tensors make one array: frames hold equally many atoms, at least one",
                "give structures of different sizes one by one",
            )
        present = np.unique(np.concatenate([frame.numbers for frame in frames])).tolist()
        unknown = sorted(set(present) - set(self.elements))
        if unknown:
            from ase.data import chemical_symbols

            raise DataError(
                f"model {self.name} does not know {', '.join(chemical_symbols[n] for n in unknown)}",
                f"it was trained on {len(self.elements)} other elements",
                "choose another model (`bec-md models`), train one, or give charges with `charges`",
            )


def check_device(device: str) -> None:
    """Refuse a device that PyTorch does not have here.

    Raises
    ------
    UsageError
        If it is neither the CPU nor a CUDA device that is there.
    """
    import torch

    try:
        kind, index = torch.device(device).type, torch.device(device).index
    except RuntimeError:
        kind, index = device, None
    if kind not in ("cpu", "cuda"):
        raise UsageError(
            f"there is no device {device!r} here",
            "the network runs on the CPU and on CUDA devices",
            "use `device=cpu`, `device=cuda` or `device=cuda:N`",
        )
    if kind == "cuda" and (index or 0) >= torch.cuda.device_count():
        raise UsageError(
            f"device {device} is not available",
            f"this PyTorch sees {torch.cuda.device_count() or 'no'} CUDA device(s)",
            "use `device=cpu`, or install a CUDA build of PyTorch",
        )


def _loaded_again(path: Path, reason: str, options: dict[str, Any]) -> BecModel:
    model = BecModel(path, **options)
    model.reason = reason
    return model
