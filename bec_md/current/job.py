"""A current that is ready to be computed: everything that determines it, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bec_md.charges.source import digest
from bec_md.current.fields import bytes_per_row
from bec_md.current.grouping import Groups
from bec_md.current.rows import Recipe, frame_hash
from bec_md.errors import DataError
from bec_md.files import expanded
from bec_md.trajectory.joined import Parts

if TYPE_CHECKING:
    from bec_md.current.options import CurrentOptions
    from bec_md.structure import Frame
    from bec_md.trajectory.frame import TrajectoryInfo
    from bec_md.trajectory.options import ReadOptions

#: Options that are not part of the key of a stored current, because what they resolve to is (see `key_of`),
#: because they do not change a number, or because a longer run continues a shorter one. Every other option of
#: `ReadOptions` and `CurrentOptions` is part of it without being named anywhere.
NOT_IN_KEY = frozenset(
    {"charges", "model", "groups", "charge_stride", "charge_tolerance", "batch", "timestep_fs", "masses"}
    | {"device", "threads", "temperature_k", "stop"}
)

#: Entry of the metadata: the error of J by which the stride of the tensors was chosen; None for a given one.
TOLERANCE = "charge_tolerance"

#: Options that act through the frames alone and have a default that can be spelled out: where they are given
#: in other words the frames decide, every one of which is compared with the stored rows.
SPELLED = frozenset(
    {
        "format",
        "lammps_units",
        "velocity_units",
        "elements",
        "cell_ang",
        "need_velocities",
        "need_cell",
        "time_series",
    }
    | {"charges_key", "charges_transposed"}
)


@dataclass(frozen=True)
class CurrentJob:
    """A current that is ready to be computed; everything a user wants to know before is here.

    Parameters
    ----------
    recipe
        What determines the rows.
    info
        The trajectory.
    groups
        The groups of atoms.
    charges_name
        Source of the tensors.
    start_time_fs
        Time of the first sample, fs.
    total_charge_e
        Net charge of the cell, e.
    notes
        What was decided, in sentences: how tensors were mapped, which stride was chosen.
    warnings
        What the reader of the result should know.
    key
        Hashes and options that a stored file must share to be continued.
    input_state
        Size, time and fingerprint of the input files: unchanged ones are not read again to compare frames.
    metadata
        Goes into the result.
    """

    recipe: Recipe
    info: TrajectoryInfo
    groups: Groups
    charges_name: str
    start_time_fs: float
    total_charge_e: float
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    key: Mapping[str, Any]
    input_state: Mapping[str, Any]
    metadata: Mapping[str, Any]

    def going_on(self, stored: Mapping[str, Any] | None) -> CurrentJob:
        """Return the job with the stride chosen for stored rows; later frames might choose another."""
        if stored is None or (tolerance := self.metadata.get(TOLERANCE)) is None:
            return self
        stride = stored["key"].get("charge_stride", 1)
        if stored["metadata"].get(TOLERANCE) != tolerance or stride == self.key["charge_stride"]:
            return self
        notes = (*self.notes, f"rows that are stored have tensors at one frame in {stride}: it stays so")
        sampling = replace(self.recipe.sampling, charge_stride=stride)
        return replace(
            self,
            recipe=replace(self.recipe, sampling=sampling),
            notes=notes,
            key={**self.key, "charge_stride": stride},
            metadata={**self.metadata, "charge_stride": stride, "notes": list(notes)},
        )

    @property
    def n_samples(self) -> int | None:
        """Number of samples of the current, when the number of frames is known."""
        if self.info.n_frames is None:
            return None
        return self.info.n_frames - (1 if self.recipe.scheme == "midpoint" else 0)

    @property
    def bytes_per_sample(self) -> int:
        """Size of one sample in memory and (about) in the file."""
        return bytes_per_row(len(self.groups.names))

    def header(self) -> dict[str, Any]:
        """Return what is stored with the rows."""
        sums = self.recipe.sums
        return {
            "key": dict(self.key),
            "input": {**self.input_state, "n_samples": self.n_samples},
            "system": {
                "groups": list(self.groups.names),
                "timestep_fs": self.recipe.timestep_fs,
                "scheme": self.recipe.scheme,
                "group_mass_amu": sums.group_mass_amu,
                "group_count": sums.group_count,
                "group_inverse_mass": sums.group_inverse_mass,
                "group_free": sums.group_free,
                "anchored": sums.anchored,
                "total_charge_e": self.total_charge_e,
                "start_time_fs": self.start_time_fs,
                **({} if self.recipe.place_every is None else {"numbers": self.info.numbers.tolist()}),
            },
            "metadata": dict(self.metadata),
        }

    def require_samples(self, count: int) -> None:
        """Refuse a trajectory that gives no sample."""
        if count == 0:
            raise DataError(
                f"{self.info.source} gives no sample of the current",
                "one frame without velocities has no rate of change"
                if self.recipe.scheme == "midpoint"
                else "there is no frame in the chosen range",
                "give more frames, or frames with velocities",
            )


def key_of(
    recipe: Recipe, groups: Groups, first: Frame, reading: ReadOptions, options: CurrentOptions
) -> dict[str, Any]:
    """Return what a stored file must share to be continued: all options, and what some of them resolve to."""
    sampling = recipe.sampling
    given = {
        item.name: _comparable(getattr(whole, item.name))
        for whole in (reading, options)
        for item in fields(whole)
        if item.name not in NOT_IN_KEY
    }
    still, held = recipe.immobile, recipe.held
    return {
        **given,
        **({} if still is None else {"immobile_hash": digest(still.astype(np.int64))}),
        **({} if held is None else {"held_hash": digest(np.round(held, 6) + 0.0)}),
        "first_frame_hash": frame_hash(first),
        "first_frame_index": first.index,
        "atoms_hash": digest(first.numbers),
        "charges": recipe.charges.name,
        "charges_hash": recipe.charges.fingerprint,
        "groups_hash": digest(groups.names, groups.index),
        "masses_hash": digest(recipe.masses_amu),
        "timestep_fs": recipe.timestep_fs,
        "scheme": recipe.scheme,
        "batch": sampling.batch,
        "charge_stride": sampling.charge_stride,
        **({"tensors_every": every} if (every := tensors_every(recipe)) > 1 else {}),
    }


def tensors_every(recipe: Recipe) -> int:
    """Return how many frames share the tensors of the first, where the current itself needs none."""
    return recipe.sampling.block if recipe.source is not recipe.charges else 1


def _comparable(value: Any) -> Any:
    """Return an option as it is compared: files by their content, without folders."""
    from bec_md.files import fingerprint

    if isinstance(value, (str, Path)) and value and expanded(value).is_file():
        path = expanded(value)
        return f"{path.name} {fingerprint(path)}"
    return value


def input_state(source: Any, reading: ReadOptions, fingerprint: str) -> dict[str, Any]:
    """Return size and time of every file that the trajectory is read from; an empty list if it is none."""
    several = source.paths if isinstance(source, Parts) else source
    named = [source, *(several if isinstance(several, (list, tuple)) else ())]
    named += [getattr(reading, item.name) for item in fields(reading)]
    files = []
    for value in named:
        path = expanded(value) if isinstance(value, (str, Path)) and value else None
        if path is not None and path.is_file():
            state = path.stat()
            files.append([path.name, state.st_size, state.st_mtime_ns])
    return {"files": files, "fingerprint": fingerprint}
