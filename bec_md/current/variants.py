r"""The current of the same motion with simpler charges: mean tensors of each atom, one scalar per species.

What the dependence of Z* on the environment buys is the difference to these. The network is not evaluated
again for every frame: mean tensors come from frames spread over the run, and the simpler currents from one
further pass over the velocities.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import Array
from bec_md.charges.constant import ConstantCharges
from bec_md.current.evaluate import Sampling, charged_frames
from bec_md.current.rows import with_next_frame
from bec_md.current.series import CurrentSeries, mean_cell
from bec_md.errors import DataError

if TYPE_CHECKING:
    from bec_md.current.job import CurrentJob
    from bec_md.current.rows import Recipe


#: Frames that mean tensors are taken over.
SAMPLES = 128
DYNAMIC, STATIC, FIXED, OXIDATION = "dynamic Z*", "static Z*", "fixed charges", "oxidation numbers"


@dataclass(frozen=True)
class MeanTensors:
    """Mean tensors along a run.

    Parameters
    ----------
    tensors
        (N, 3, 3) mean of each atom, e.
    fluctuation_e
        R.m.s. deviation of a tensor element from its mean: what static tensors leave out, e.
    frames
        Number of frames in the mean.
    """

    tensors: Array
    fluctuation_e: float
    frames: int

    def isotropic(self, numbers: NDArray[np.int64]) -> dict[int, float]:
        """Return the mean tr Z/3 of each element, by atomic number, e."""
        scalars = np.trace(self.tensors, axis1=1, axis2=2) / 3.0
        return {int(z): float(scalars[numbers == z].mean()) for z in np.unique(numbers)}


def mean_tensors(recipe: Recipe, n_frames: int | None, samples: int = SAMPLES) -> MeanTensors:
    """Mean tensors of each atom over frames spread evenly over the run.

    Parameters
    ----------
    recipe
        Trajectory and source of tensors.
    n_frames
        Length of the trajectory; None if unknown, then every 16th frame is taken.
    samples
        About how many frames to evaluate.
    """
    step = 16 if n_frames is None else max(1, n_frames // samples)
    frames = islice(recipe.trajectory.frames(), 0, None, step)
    total, square, count = np.zeros(()), np.zeros(()), 0
    while block := list(islice(frames, recipe.sampling.batch)):
        tensors = recipe.charges.evaluate(block).born_effective_charges
        total, square = total + tensors.sum(axis=0), square + (tensors**2).sum(axis=0)
        count += len(block)
    if count == 0:
        raise DataError("no frame for mean tensors", "the trajectory is empty", "check `start`/`stop`")
    mean = total / count
    variance = np.clip(square / count - mean**2, 0.0, None)
    return MeanTensors(np.asarray(mean), float(np.sqrt(variance.mean())), count)


def static_currents(job: CurrentJob, tensors: Mapping[str, Array]) -> dict[str, CurrentSeries]:
    """Currents of a trajectory with constant tensors, all from one pass over its velocities.

    Parameters
    ----------
    job
        The prepared current.
    tensors
        Name → (N, 3, 3), e.
    """
    recipe, sums = job.recipe, job.recipe.sums
    sampling = Sampling(batch=recipe.sampling.batch)
    pieces = charged_frames(recipe.trajectory, ConstantCharges(next(iter(tensors.values()))), sampling)
    if recipe.scheme == "midpoint":
        pieces = with_next_frame(pieces)
    currents: dict[str, list[Array]] = {name: [] for name in tensors}
    motion: dict[str, list[Array]] = {"cells": []}
    for piece in pieces:
        velocities = recipe.velocities(piece.frames)
        cells = np.stack([frame.cell_ang for frame in piece.frames[: len(velocities)]])
        if len(velocities) == 0:
            continue
        for name, z in tensors.items():
            currents[name].append(sums.over_groups(np.einsum("iab,fib->fia", z, velocities)))
        for name, values in sums.motion_sums(velocities).items():
            motion.setdefault(name, []).append(values)
        motion["cells"].append(cells)
    joined = {name: np.concatenate(values) for name, values in motion.items()}
    cell, volume = mean_cell(joined.pop("cells"))
    frames = len(joined["momentum"])
    found = {}
    for name, z in tensors.items():
        rows = sums.charge_sums(z)
        found[name] = CurrentSeries(
            current=np.concatenate(currents[name]),
            groups=job.groups.names,
            timestep_fs=recipe.timestep_fs,
            volume_ang3=volume,
            cell_ang=cell,
            scheme="velocity" if recipe.scheme == "velocity" else "midpoint",
            charge_sum=np.broadcast_to(rows["charge_sum"], (frames, *rows["charge_sum"].shape)),
            zz_over_mass=rows["zz_over_mass"][None] if "zz_over_mass" in rows else None,
            charge_over_mass=rows["charge_over_mass"][None],
            group_mass_amu=np.asarray(sums.group_mass_amu, dtype=np.float64),
            group_count=sums.group_count,
            group_inverse_mass=np.asarray(sums.group_inverse_mass, dtype=np.float64),
            group_free=sums.group_free,
            anchored=sums.anchored,
            total_charge_e=job.total_charge_e,
            start_time_fs=job.start_time_fs,
            metadata={**job.metadata, "charges": name, "warnings": []},
            **cast("dict[str, Any]", joined),
        )
    return found
