r"""From frames with tensors to the rows of a current: one row per sample in time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import blake2b
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import Array
from bec_md.charges.source import ChargeBatch, derivative_of
from bec_md.current.continuous import Continuous
from bec_md.current.evaluate import ChargedFrames, Sampling, charged_frames
from bec_md.current.fields import FIELDS
from bec_md.current.mobility import off_place
from bec_md.current.parts import FRAME_HASH, Rows
from bec_md.current.places import PLACE_ROW, PLACES, cut, pick
from bec_md.current.sums import GroupSums, polarization_velocity
from bec_md.errors import DataError

if TYPE_CHECKING:
    from bec_md.charges.source import ChargeSource
    from bec_md.current.internal import InternalMotion
    from bec_md.network.predictor import PredictedCurrent
    from bec_md.structure import Frame
    from bec_md.trajectory.frame import Trajectory

#: Frames from one evaluation of ΣZPZᵀ/m to the next.
SQUARES_EVERY = 8
#: What fewer digits in later frames may move an atom by that rests in a cell that changes, Å.
_ROUNDED_ANG = 5e-4


@dataclass(frozen=True)
class Recipe:
    """Everything that determines the rows of a current; sent to workers as it is.

    Parameters
    ----------
    open
        Returns the trajectory.
    charges
        Source of tensors, bound to the system.
    group_index, masses_amu
        (N,) group and mass [amu] of each atom.
    timestep_fs
        Time between frames, fs.
    scheme
        ``"velocity"`` or ``"midpoint"``.
    sampling
        At which frames tensors are evaluated.
    immobile
        (N,) atoms that do not move (see `bec_md.current.mobility`); None if all do.
    rest
        First frame, where these atoms have to stay, in the cell or by velocities of 0.
    held
        (N, 3, 3) projectors on directions along which the others do not move; None if there are none.
    place_every
        Every so many rows positions are kept for the mean structure; None where there is none.
    internal
        The molecules whose internal motion is kept apart; None for none.
    """

    open: Callable[[], Trajectory]
    charges: ChargeSource
    group_index: NDArray[np.int64]
    masses_amu: Array
    timestep_fs: float
    scheme: str
    sampling: Sampling
    immobile: NDArray[np.bool_] | None = None
    rest: Frame | None = None
    held: Array | None = None
    place_every: int | None = None
    internal: InternalMotion | None = None

    @cached_property
    def sums(self) -> GroupSums:
        """Summation over the groups."""
        return GroupSums(self.group_index, self.masses_amu, self.immobile, self.held)

    @cached_property
    def derivative(self) -> ChargeSource | None:
        """The source that gives J as one derivative along the velocities; None where only tensors give it."""
        source: ChargeSource | None = derivative_of(self.charges)
        return source

    @property
    def source(self) -> ChargeSource:
        """What is evaluated: the derivative where there is one, unless tensors are interpolated."""
        return self.charges if self.derivative is None or self.sampling.charge_stride > 1 else self.derivative

    @cached_property
    def trajectory(self) -> Trajectory:
        """The trajectory, opened once per process."""
        return self.open()

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        state.pop("sums", None)
        state.pop("derivative", None)
        state.pop("trajectory", None)
        return state

    def rows(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, Rows]]:
        """Yield (number of the first row, rows) from `start` up to `stop` or the end."""
        pieces = charged_frames(self.trajectory, self.source, self.sampling, start)
        path = self._polarization_from(start)
        if self.scheme == "midpoint":
            pieces = with_next_frame(pieces)
        try:
            for piece in pieces:
                rows = self._piece_rows(piece, path)
                if len(rows["current"]) == 0:
                    continue
                if stop is not None and piece.start + len(rows["current"]) > stop:
                    rows = cut(rows, piece.start, stop)
                check_finite(rows, piece.frames)
                yield piece.start, rows
                if stop is not None and piece.start + len(rows["current"]) >= stop:
                    return
        finally:
            pieces.close()  # type: ignore[attr-defined]

    def velocities(self, frames: list[Frame]) -> Array:
        """Return velocities of the frames (F, N, 3), Å/fs; of the F − 1 steps between from positions."""
        if self.immobile is not None and self.rest is not None:
            require_rest(frames, self.immobile, self.rest)
        if self.scheme == "velocity":
            out = np.stack([_velocity(frame) for frame in frames])
            if self.immobile is not None:
                out[:, self.immobile] = 0.0
            return out
        from bec_md.trajectory.velocities import midpoint_displacement

        out = np.empty((len(frames) - 1, len(self.masses_amu), 3))
        for row, (before, after) in enumerate(pairwise(frames)):
            out[row] = midpoint_displacement(before, after) / self.timestep_fs
        if self.immobile is not None:
            out[:, self.immobile] = 0.0
        return out

    def row_hashes(self, frames: list[Frame]) -> NDArray[np.uint64]:
        """Return a hash of what each row is made of: its frame, or the two that a difference lies between."""
        hashes = frame_hashes(frames)
        return hashes if self.scheme == "velocity" else 3 * hashes[:-1] + hashes[1:]

    def _polarization_from(self, start: int) -> Continuous | None:
        """Return what follows P(t) from row `start` on; None if the tensors derive from no polarization."""
        charges = getattr(self.source, "ionic_charges", None)
        still = np.zeros((1, len(self.masses_amu), 3))
        frames = self.trajectory.frames(skip=max(0, start - 1))
        before = next(frames, None)
        found = None if before is None or charges is None else self._along([before], still)
        if before is None or charges is None or found is None or found.polarization is None:
            return None
        path = Continuous(charges(before), midpoint=self.scheme == "midpoint")
        if start > 0:
            path.begin_after(before, found.polarization[0])
        return path

    def _along(
        self, frames: list[Frame], velocities: Array, groups: NDArray[np.int64] | None = None
    ) -> PredictedCurrent | None:
        """dP/dt along velocities, batch by batch; None where tensors give it."""
        along, size = getattr(self.source, "along", None), self.sampling.batch
        if along is None:
            return None
        found = [
            along(frames[cut : cut + size], velocities[cut : cut + size], groups)
            for cut in range(0, len(frames), size)
        ]
        return None if found[0] is None else type(found[0]).joined(found)

    def _piece_rows(self, piece: ChargedFrames, path: Continuous | None) -> Rows:
        cells = np.stack([frame.cell_ang for frame in piece.frames])
        velocities, charges = self.velocities(piece.frames), piece.charges
        if self.scheme == "midpoint":
            cells, charges = _means(cells), charges.map(_means)
        return self._rows(piece, charges, velocities, cells, path)

    def _rows(
        self,
        piece: ChargedFrames,
        batch: ChargeBatch,
        velocities: Array,
        cells: Array,
        path: Continuous | None,
    ) -> Rows:
        if len(velocities) == 0:
            return {"current": np.empty((0, 0, 3))}
        rows: Rows = dict(self.sums.frame_sums(batch.born_effective_charges, velocities))
        rows["cells_ang"] = cells
        rows[FRAME_HASH] = self.row_hashes(piece.frames)
        if self.place_every is not None:
            rows |= pick(piece.frames[: len(velocities)], piece.start, self.place_every)
        if batch.uncertainty_e is not None:
            rows["charge_uncertainty_e"] = batch.uncertainty_e.mean(axis=1)
        if batch.eps_inf is not None:
            rows["eps_inf"] = np.asarray(batch.eps_inf, dtype=np.float64)
        if batch.members is not None:
            rows["member_current"] = self.sums.member_current(batch.members, velocities)
        if self.internal is not None:
            rows |= self._rows_internal(self.internal, piece, batch.born_effective_charges, velocities)
        if self.source is self.derivative:
            rows |= self._rows_along(piece.frames, velocities, rows["charge_sum"], path)
        if self.sampling.charge_stride > 1:
            rows["interpolation_check"] = _compare(
                piece, velocities - self.sums.com_velocity(velocities)[:, None]
            )
        return rows

    def _rows_internal(
        self, molecules: InternalMotion, piece: ChargedFrames, charges: Array, velocities: Array
    ) -> Rows:
        """Return J of the parts of the velocities that stretch and that bend, and its mean squares over k_BT.

        These need tensors of the frame itself, and change little from frame to frame.
        """
        frames, parts = piece.frames, molecules.velocities(piece.frames, velocities)
        along = [self._along(frames, part) for part in parts]
        found = [
            polarization_velocity(charges, part) if one is None else one.current
            for one, part in zip(along, parts, strict=True)
        ]
        every = SQUARES_EVERY if along[0] is None else self.sampling.block
        own = [row for row in range(len(frames)) if (piece.start + row) % every == 0]
        squares = np.full((len(frames), len(parts), 3, 3), np.nan)
        if own:
            squares[own] = molecules.squares([frames[row] for row in own], charges[own])
        return {
            "internal_current": np.stack([one.sum(axis=1) for one in found], axis=1),
            "internal_zz_over_mass": squares,
        }

    def _rows_along(
        self, frames: list[Frame], velocities: Array, charge_sum: Array, path: Continuous | None
    ) -> Rows:
        r"""Return what derivatives along the velocities give: J of groups and members, and P if there is one.

        The velocities are those relative to the center of mass, so that no tensors of the frame are needed:
        :math:`J_g = \sum Z (v - v_\mathrm{com}) + S_g v_\mathrm{com}`, of which every sum rule subtracts the
        second part again, with the same stored S.
        """
        com = self.sums.com_velocity(velocities)[:, None]
        relative = velocities - com
        ends = (slice(None),) if self.scheme == "velocity" else (slice(None, -1), slice(1, None))
        found = [one for end in ends if (one := self._along(frames[end], relative, self.group_index))]
        moments = [one.polarization for one in found if one.polarization is not None]
        rows: Rows = {
            "current": np.mean([one.current for one in found], axis=0)
            + polarization_velocity(charge_sum, np.broadcast_to(com, charge_sum.shape[:-1])),
        }
        if path is not None:
            moment = np.concatenate([moments[0], moments[-1][-1:]][: len(ends)])
            rows["polarization"] = path.rows(frames, moment)
        members = np.mean([one.members.sum(axis=2) for one in found], axis=0)
        if members.shape[1] > 1:
            rows["member_current"] = members
        return rows


def frame_hashes(frames: list[Frame]) -> NDArray[np.uint64]:
    """Return a hash of the numbers of each frame, (F,).

    These are positions, cell, velocities and stored tensors, and what is rare: open boundaries, a net charge.
    """
    out = np.empty(len(frames), dtype=np.uint64)
    closed: NDArray[np.bool_] | None = None  # boundaries of the frames so far, which usually share them
    for row, frame in enumerate(frames):
        stored = (
            frame.positions_ang,
            frame.cell_ang,
            frame.velocities_ang_fs,
            frame.born_effective_charges,
        )
        parts = [np.asarray(values, dtype="<f8").tobytes() for values in stored if values is not None]
        if frame.pbc is not closed:
            closed = frame.pbc if frame.pbc.all() else None
        if closed is None or frame.total_charge:
            parts.append(f"{frame.pbc.tolist()} {frame.total_charge!r}".encode())
        out[row] = int.from_bytes(blake2b(b"".join(parts), digest_size=8).digest(), "little")
    return out


def frame_hash(frame: Frame) -> str:
    """Return the hash of one frame in hexadecimal digits."""
    return f"{int(frame_hashes([frame])[0]):016x}"


def check_finite(rows: Rows, frames: list[Frame]) -> None:
    """Refuse rows that are not finite, naming the frame."""
    for name, values in rows.items():
        if name in (PLACE_ROW, PLACES) or (name in FIELDS and FIELDS[name].may_be_nan):
            continue
        finite = np.isfinite(values).reshape(len(values), -1).all(axis=1)
        if not finite.all():
            raise DataError(
                f"{name} is not finite in frame {frames[int(np.argmin(finite))].index}",
                "positions, velocities or tensors of that frame hold NaN or infinity",
                "correct the frame, or cut it off with `start`/`stop`; what came before is kept",
            )


def require_rest(frames: list[Frame], immobile: NDArray[np.bool_], rest: Frame) -> None:
    """Refuse frames in which atoms move that did not in the first ones (a barostat moves what has v = 0)."""
    for frame in frames:
        moved = (frame.positions_ang[immobile] != rest.positions_ang[immobile]).any(axis=1)
        if moved.any() and not np.array_equal(frame.cell_ang, rest.cell_ang):
            if frame.velocities_ang_fs is not None:
                moved &= (frame.velocities_ang_fs[immobile] != 0.0).any(axis=1)
            else:
                moved &= off_place(rest, frame)[immobile] > _ROUNDED_ANG
        if moved.any():
            atom = int(np.flatnonzero(immobile)[np.argmax(moved)])
            raise DataError(
                f"atom {atom} moves in frame {frame.index}, but not in the first frames",
                "degrees of freedom, and with them the temperature, would change within the run",
                "begin with `start` where all atoms move",
            )


def _velocity(frame: Frame) -> Array:
    if frame.velocities_ang_fs is None:
        raise DataError(
            f"frame {frame.index} has no velocities, the frames before it have",
            "one series needs one scheme",
            "cut the trajectory there with `start`/`stop`",
        )
    return frame.velocities_ang_fs


def _means(values: Array) -> Array:
    return 0.5 * (values[:-1] + values[1:])


def with_next_frame(pieces: Iterator[ChargedFrames]) -> Iterator[ChargedFrames]:
    """Let each piece begin with the last frame of the one before it: differences need both ends."""
    carried: ChargedFrames | None = None
    for piece in pieces:
        joined = piece if carried is None else _join(carried, piece)
        carried = replace(
            piece,
            start=piece.start + len(piece.frames) - 1,
            frames=piece.frames[-1:],
            charges=piece.charges[-1:],
            held_out={n: z for n, z in piece.held_out.items() if n == piece.start + len(piece.frames) - 1},
        )
        yield joined


def _join(first: ChargedFrames, second: ChargedFrames) -> ChargedFrames:
    charges = ChargeBatch.joined([first.charges, second.charges])
    held_out = first.held_out | second.held_out
    return ChargedFrames(first.start, first.frames + second.frames, charges, held_out)


def _compare(piece: ChargedFrames, velocities: Array) -> Array:
    r"""Return mean square ΔZ, :math:`|\Delta J|^2` and :math:`|J|^2` at held-out frames, (F, 3); else NaN."""
    out = np.full((len(velocities), 3), np.nan)
    for number, true in piece.held_out.items():
        row = number - piece.start
        if not 0 <= row < len(velocities):
            continue
        difference = piece.charges.born_effective_charges[row] - true
        wrong = polarization_velocity(difference[None], velocities[row][None]).sum(axis=1)
        right = polarization_velocity(true[None], velocities[row][None]).sum(axis=1)
        out[row] = (difference**2).mean(), (wrong**2).sum(), (right**2).sum()
    return out
