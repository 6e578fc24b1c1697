r"""Prepare a current: open the trajectory, bind the tensors to it, say what will be done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from bec_md import __version__
from bec_md.charges import charges_key, make_charge_source
from bec_md.current.evaluate import Sampling
from bec_md.current.grouping import Groups, make_groups
from bec_md.current.internal import InternalMotion
from bec_md.current.job import TOLERANCE, CurrentJob, input_state, key_of, tensors_every
from bec_md.current.mobility import PROBED, Mobility, find_immobile, later_frames
from bec_md.current.options import CurrentOptions
from bec_md.current.places import place_every
from bec_md.current.rigidity import count_constraints
from bec_md.current.rotation import count_rotations
from bec_md.current.rows import Recipe
from bec_md.current.sites import charged_sites
from bec_md.current.sublattices import sublattices
from bec_md.errors import DataError, UsageError
from bec_md.files import anchored
from bec_md.trajectory.joined import Parts
from bec_md.trajectory.mean_structure import mean_structure
from bec_md.trajectory.options import ReadOptions
from bec_md.trajectory.plausibility import rounding_of, velocity_rounding_ang_fs

if TYPE_CHECKING:
    from bec_md.charges import ChargeSource
    from bec_md.structure import Frame
    from bec_md.trajectory.frame import Trajectory, TrajectoryInfo

#: Atoms evaluated in one call of the model: enough to fill the arithmetic, little enough for the cache.
BATCH_ATOMS = 4096
MAX_BATCH = 256
#: The same for a GPU, which needs more work at a time (about 4 GB of its memory with the bundled models).
BATCH_ATOMS_GPU = 16384
MAX_BATCH_GPU = 1024


#: Frames that share the tensors of their first one where the current needs none; limited by memory.
HELD_FRAMES, HELD_ATOMS = 192, 262_144


@dataclass(frozen=True)
class TrajectorySource:
    """How to open the trajectory, here and in workers."""

    source: Any
    options: ReadOptions = field(default_factory=ReadOptions)

    def __call__(self) -> Trajectory:
        """Open it."""
        if self.is_open:
            return cast("Trajectory", self.source)
        from bec_md.trajectory import open_trajectory

        return open_trajectory(self.source, self.options)

    @property
    def is_open(self) -> bool:
        """Whether the source is an open trajectory already."""
        return hasattr(self.source, "frames") and hasattr(self.source, "info")

    def __getstate__(self) -> dict[str, Any]:
        """Return what is sent to workers, which may run in another folder."""
        source, options = self.source, self.options
        if isinstance(source, Parts):
            source = replace(source, paths=tuple(anchored(path) for path in source.paths))
        elif isinstance(source, (list, tuple)):
            source = [anchored(item) for item in source]
        files = {name: anchored(getattr(options, name)) for name in ("topology", "velocities")}
        return {"source": anchored(source), "options": replace(options, **files)}


def prepare_current(
    source: Any,
    options: CurrentOptions | None = None,
    reading: ReadOptions | None = None,
    *,
    command: str | None = None,
) -> CurrentJob:
    """Open the trajectory, bind the tensors to it and return the job.

    Parameters
    ----------
    source
        A trajectory: path, `Trajectory`, list of `ase.Atoms`, `MDAnalysis.Universe`, …
    options
        How the current is computed.
    reading
        How the trajectory is read.
    command
        Command line, for the metadata.

    Raises
    ------
    UsageError
        If the timestep is unknown, or options do not fit.
    DataError
        If the trajectory or the tensors are damaged.
    """
    options, reading = options or CurrentOptions(), reading or ReadOptions()
    options.check()
    options, reading = _settled(options, reading)
    opener = TrajectorySource(list(source) if isinstance(source, Iterator) else source, reading)
    trajectory = opener()
    info = trajectory.info
    step = timestep_of(info, reading.timestep_fs, is_open=opener.is_open)
    first = _first_frame(trajectory)
    probed = list(islice(trajectory.frames(), PROBED))
    mobility = find_immobile(probed, step, trajectory)
    constraints = count_constraints(probed, mobility.free(info.masses_amu)) if len(probed) > 2 else 0
    rotations = 0
    if mobility.immobile is None:
        rotations = count_rotations(probed, later_frames(trajectory), mobility.held)
    per_site = isinstance(options.groups, str) and options.groups == "sublattices"
    mean = mean_structure(opener().frames()) if per_site else None
    divided = make_groups(options.groups, first, info.sites) if mean is None else sublattices(mean)
    bound = _bound_charges(options, info, first)
    plain = _recipe(opener, bound, divided, step, info, mobility, first, options)
    recipe, stride_note = _with_stride(
        replace(plain, internal=_internal(plain, first, options)), options, info
    )
    notes = (*bound.notes, *stride_note, *((mobility.warning,) if mobility.warning else ()))
    said = _scheme_warnings(recipe, info)
    return CurrentJob(
        recipe=recipe,
        info=info,
        groups=divided,
        charges_name=bound.name,
        start_time_fs=(first.time_fs or 0.0) + (0.5 * step if recipe.scheme == "midpoint" else 0.0),
        total_charge_e=first.total_charge,
        notes=notes,
        warnings=said,
        key=key_of(recipe, divided, first, reading, options),
        input_state=input_state(source, reading, info.fingerprint),
        metadata=_metadata(recipe, info, reading, notes, (*info.warnings, *said), command)
        | {
            "remarks": [*info.remarks, *_remarks(mobility, constraints, rotations, tensors_every(recipe))],
            "constraints": constraints + rotations + mobility.held_count,
            **({} if mobility.held is None else {"held": mobility.held_count}),
            **({} if mean is None else {"sublattices": True, "mean_structure": mean.to_dict()}),
            "rounding_ang": None if recipe.scheme == "velocity" else rounding_of(probed),
            "velocity_rounding_ang_fs": velocity_rounding_ang_fs(probed)
            if recipe.scheme == "velocity"
            else None,
            TOLERANCE: options.charge_tolerance if options.charge_stride == "auto" else None,
        },
    )


def _settled(options: CurrentOptions, reading: ReadOptions) -> tuple[CurrentOptions, ReadOptions]:
    """Return the options with what those of the tensors say about the reading."""
    charges, reading = charged_sites(options.charges, reading)
    if reading.charges_transposed and isinstance(charges, str) and charges.partition(":")[0] != "file":
        raise UsageError(
            f"`charges_transposed` with `charges={charges}`",
            "it is the order of indices of tensors in the trajectory, and they are not used",
            "leave it out; a structure of `born:` states its own order",
        )
    key = charges_key(charges)
    return replace(options, charges=charges), reading if key is None else replace(reading, charges_key=key)


def _bound_charges(options: CurrentOptions, info: TrajectoryInfo, first: Frame) -> ChargeSource:
    """Return the tensors' source, bound to the atoms of the first frame."""
    return make_charge_source(
        options.charges,
        info=info,
        model=options.model,
        device=options.device,
        threads=options.threads,
        total_charge=first.total_charge,
    ).prepare(first)


def _recipe(
    opener: TrajectorySource,
    charges: ChargeSource,
    groups: Groups,
    timestep_fs: float,
    info: TrajectoryInfo,
    mobility: Mobility,
    first: Frame,
    options: CurrentOptions,
) -> Recipe:
    """Return what makes rows of frames."""
    batch = options.batch or default_batch(len(info.numbers), options.device)
    return Recipe(
        open=opener,
        charges=charges,
        group_index=groups.index,
        masses_amu=info.masses_amu,
        timestep_fs=timestep_fs,
        scheme="velocity" if info.velocity_scheme == "stored" else "midpoint",
        sampling=Sampling(batch=batch, interpolation=options.interpolation),
        immobile=mobility.immobile,
        held=mobility.held,
        rest=None if mobility.immobile is None else first,
        place_every=place_every(first, info.n_frames),
    )


def _internal(recipe: Recipe, first: Frame, options: CurrentOptions) -> InternalMotion | None:
    """Return the molecules whose internal motion is kept apart, if that is asked for."""
    if options.motions is None:
        return None
    if recipe.scheme != "velocity" or recipe.immobile is not None or recipe.held is not None:
        raise DataError(
            "the trajectory has no velocities"
            if recipe.scheme != "velocity"
            else "some atoms do not move, or along some axes only",
            "the mean squares of internal motion are known of the velocities of free molecules",
            "use `control_variates=f-sum` instead: it needs neither",
        )
    return InternalMotion.of(first, recipe.masses_amu)


def timestep_of(info: TrajectoryInfo, given_fs: float | None, *, is_open: bool = False) -> float:
    """Return the time between frames, fs; it is never guessed.

    Parameters
    ----------
    info
        The trajectory.
    given_fs
        What the caller says.
    is_open
        Whether the trajectory was opened before, without `given_fs`.
    """
    if info.timestep_fs is not None:
        if is_open and given_fs is not None and abs(given_fs - info.timestep_fs) > 1e-6 * given_fs:
            raise UsageError(
                f"`timestep_fs={given_fs:g}`, but frames of {info.source} are {info.timestep_fs:g} fs apart",
                "an open trajectory already knows its timestep",
                "leave `timestep_fs` out here, or give it to open_trajectory",
            )
        return float(info.timestep_fs)
    if given_fs is not None and is_open:
        return float(given_fs)
    if info.n_frames == 1:
        raise UsageError(
            f"{info.source} holds one structure",
            "a spectrum is that of a motion: of frames at many times",
            "`bec-md md` makes a trajectory of a structure, and its spectrum; `bec-md harmonic` takes force "
            "constants, `bec-md predict` gives the tensors; of a run with a file for each frame make one "
            "file, cat $(ls -v run.*.lammpstrj) > run.lammpstrj",
        )
    raise UsageError(
        f"{info.source} does not say how much time lies between its frames",
        "frequencies scale with it, so it is never guessed",
        "give the time between stored frames as `timestep_fs`",
    )


def _first_frame(trajectory: Trajectory) -> Frame:
    frames: Iterator[Frame] = trajectory.frames()
    first = next(frames, None)
    if first is None:
        raise DataError(
            f"{trajectory.info.source} holds no frame",
            "there is nothing to compute a current from",
            "check the file and `start`/`stop`",
        )
    volume = abs(float(np.linalg.det(first.cell_ang)))
    if not np.isfinite(volume) or volume < 1e-6:
        raise DataError(
            f"the cell of frame {first.index} in {trajectory.info.source} has volume {volume:g} Å³",
            "a spectrum is per volume, and tensors need the periodic images",
            "write the cell into the trajectory (Lattice=… in extxyz); for a molecule, its box",
        )
    return first


def default_batch(n_atoms: int, device: str) -> int:
    """Return how many frames of `n_atoms` are evaluated at once."""
    atoms, most = (BATCH_ATOMS, MAX_BATCH) if device == "cpu" else (BATCH_ATOMS_GPU, MAX_BATCH_GPU)
    return max(1, min(most, atoms // max(1, n_atoms)))


def held_batches(n_atoms: int, batch: int) -> int:
    """Return how many batches of a model share the tensors of one frame, where the current needs none."""
    return max(1, -(-min(HELD_FRAMES, HELD_ATOMS // max(1, n_atoms)) // batch))


def _with_stride(
    recipe: Recipe, options: CurrentOptions, info: TrajectoryInfo
) -> tuple[Recipe, tuple[str, ...]]:
    """Return the recipe with the stride of the tensors, and what there is to say about it."""
    if recipe.charges.constant:
        return recipe, ()
    stride, note, held = options.charge_stride, "", 1
    if recipe.derivative is not None:
        if stride == "auto":
            stride = 1
            note = "J of every frame is a derivative along the velocities: no stride makes it cheaper"
        elif stride > 1:
            note = (
                f"`charge_stride={stride}` interpolates tensors: J of every frame, a derivative along the "
                "velocities, is exact and usually costs less; leave it out"
            )
        if stride == 1:
            held = held_batches(len(info.numbers), recipe.sampling.batch)
    elif stride == "auto":
        from bec_md.current.stride import choose_stride

        choice = choose_stride(recipe, options.charge_tolerance, info.n_frames)
        stride, note = choice.stride, choice.describe()
    sampling = replace(recipe.sampling, charge_stride=stride, held=held)
    return replace(recipe, sampling=sampling), (note,) if note else ()


def _remarks(mobility: Mobility, constraints: int, rotations: int, every: int) -> list[str]:
    rigid = f"{constraints} distances are rigid: they are no degrees of freedom of the temperature"
    turned = (
        f"all atoms together do not turn (a molecule in vacuum): {rotations} degrees of freedom of the "
        "temperature less"
    )
    sampled = (
        f"J is that along the velocities of every frame; Z* itself (f-sum rule, static and "
        f"charge-sum checks) and ε∞ are those of one frame in {every}"
    )
    return [
        text
        for text in (
            mobility.remark,
            rigid if constraints else "",
            turned if rotations else "",
            sampled if every > 1 else "",
        )
        if text
    ]


def _scheme_warnings(recipe: Recipe, info: TrajectoryInfo) -> tuple[str, ...]:
    if recipe.scheme == "velocity":
        return ()
    return (
        f"{info.source} has no velocities: the current is taken from differences of positions "
        f"(midpoint rule, {recipe.timestep_fs:g} fs); its transfer function is divided out of the spectrum, "
        "and the kinetic temperature is only a lower bound",
    )


def _metadata(
    recipe: Recipe,
    info: TrajectoryInfo,
    reading: ReadOptions,
    notes: tuple[str, ...],
    said: tuple[str, ...],
    command: str | None,
) -> dict[str, Any]:
    return {
        "version": __version__,
        "command": command,
        "source": info.source,
        "format": info.format,
        "input_hash": info.fingerprint,
        "units": info.units_note,
        "charges": recipe.charges.name,
        "charges_hash": recipe.charges.fingerprint,
        "n_atoms": info.n_atoms,
        "batch": recipe.sampling.batch,
        "charge_stride": recipe.sampling.charge_stride,
        "interpolation": recipe.sampling.interpolation,
        "trajectory_options": _given(reading),
        "notes": list(notes),
        "warnings": list(said),
        **getattr(recipe.charges, "details", {}),
    }


def _given(reading: ReadOptions) -> Mapping[str, Any]:
    """Return the options of reading that were given, but paths (results hold no folders)."""
    values = {name: getattr(reading, name) for name in sorted(reading.given())}
    return {
        name: value
        for name, value in values.items()
        if name not in ("topology", "velocities")
        and name != "timestep_fs"
        and isinstance(value, (str, int, float))
    }
