r"""Velocities that change at once while positions go on: replicas exchanged, velocities scaled or drawn anew.

Between frames n and n + 1 any smooth motion has, by velocities at four frames,

    Δr = Δ [13/24 (v_n + v_{n+1}) − 1/24 (v_{n−1} + v_{n+2})]

up to the fourth power of ωΔ. Where all velocities are multiplied by a factor s at one of the two frames, Δr
differs from it by ±13/24 (s − 1) of v, along v; where they are drawn anew, by another vector. In a replica
exchange (`temper` of LAMMPS) s² = T'/T; a thermostat that rescales puts the same temperature there each time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bec_md.arrays import Array
from bec_md.structure import Frame
from bec_md.trajectory.block import Block
from bec_md.trajectory.motion import Pace

#: Deviations, in standard deviations of the intervals around and relative to v, that are a change at once.
_SIGMAS, _LEAST = 6.0, 0.006
#: Share of a deviation that may be across v where velocities were scaled, and not drawn anew.
_ALONG = 0.5
#: Usual deviation across v, relative to (2v)², up to which frames follow one another smoothly enough to tell
#: a factor, and that of velocities drawn anew, which is 0.15 or more.
_SMOOTH, _DRAWN = 5e-4, 0.04
#: Intervals that are remembered, and that a verdict needs.
_REMEMBERED, _FEW = 256, 32
#: Changes from which on their temperatures tell a thermostat from exchanged replicas.
_TELLING = 3
#: Probability of temperatures as equal as that by chance.
_BY_CHANCE = 0.01
#: Frames that one change may disturb, and share of all atoms that have to take part in it.
_ONE, _OF_ALL = 2, 0.2
#: Atoms below which nothing is said.
_ATOMS = 8
_INNER, _OUTER = 13.0 / 24.0, -1.0 / 24.0


@dataclass(frozen=True)
class Change:
    """One change of all velocities between two frames.

    Parameters
    ----------
    index
        The second frame.
    deviation
        Of Δr from what velocities say, relative to v, less its usual value.
    misfit
        Its square, with what is across v.
    scaled
        Whether it is along v.
    before, after
        Σ m v² of the two frames.
    """

    index: int
    deviation: float
    misfit: float
    scaled: bool
    before: float
    after: float


class Changes:
    """The changes of a run, each once, in whatever order its frames are read."""

    def __init__(self) -> None:
        self._at: dict[int, Change] = {}
        self._new: list[Change] = []

    def add(self, found: Change) -> None:
        """Keep a change; of neighbors, which feel it too, the largest."""
        near = [index for index in range(found.index - _ONE, found.index + _ONE + 1) if index in self._at]
        if any(self._at[index].misfit >= found.misfit for index in near):
            return
        for index in near:
            del self._at[index]
        self._at[found.index] = found
        self._new.append(found)

    def news(self) -> list[Change]:
        """Return the changes that came since this was asked last."""
        taken = self._new.copy()
        del self._new[: len(taken)]  # others may have come from the thread that reads
        return taken

    def in_order(self) -> list[Change]:
        """Return all changes in the order of time."""
        changes = list(self._at.values())  # at once: the thread that reads may add one
        changes.sort(key=lambda change: change.index)
        return changes

    def warning(self) -> str | None:
        """Say where replicas were exchanged or velocities drawn anew; nothing of thermostats that rescale."""
        changes = self.in_order()
        drawn = [change.index for change in changes if not change.scaled]
        scaled = [change for change in changes if change.scaled]
        if drawn and len(drawn) >= len(scaled):
            return (
                f"all velocities change at once at {_places(drawn)} while positions go on: they were drawn "
                "anew there (velocity create), and what is correlated over it is lost"
            )
        if not scaled or _same_temperature(scaled):
            return None
        factors = 1.0 + np.abs([change.deviation for change in scaled]) / _INNER
        return (
            f"all velocities are multiplied at once, by up to {factors.max():.3g}, at "
            f"{_places([change.index for change in scaled])}: exchanged replicas (temper), or a command that "
            "rescales; compute spectra from runs at one temperature"
        )


class ScaledVelocities:
    """Looks at blocks of successive frames with velocities.

    Parameters
    ----------
    known
        Where changes are kept besides: those of other passes over the same run.
    """

    def __init__(self, known: Changes | None = None) -> None:
        self._ratios: Array = np.empty(0)
        self._across: Array = np.empty(0)
        self._known = known
        self.changes = Changes()

    def look(self, block: Block, pace: Pace) -> None:
        """Take the intervals of a block whose four frames end in a new one."""
        first = max(block.old - 3, 0)
        v = pace.velocities[first:]
        if len(v) < 4 or v.shape[1] < 3 * _ATOMS:
            return
        inner = slice(first + 1, -1)
        ends, square = pace.ends[inner], pace.squares[inner]
        beside = v[:-3] + v[3:]
        beside -= ends
        beside *= -_OUTER
        beside += pace.beside[inner]
        along, whole = (np.einsum("fk,fk->f", one, beside) for one in (ends, beside))
        safe = np.where(square > 0.0, square, np.inf)
        ratio, across = 2.0 * along / safe, whole / safe - (along / safe) ** 2
        self._ratios = usual = np.concatenate([self._ratios, ratio])[-_REMEMBERED:]
        self._across = np.concatenate([self._across, across])[-_REMEMBERED:]
        if len(usual) < _FEW:
            return
        middle, beyond = _median(usual), _median(self._across)
        limit = max(_SIGMAS * 1.4826 * _median(np.abs(usual - middle)), _LEAST)
        moving = square > 0.3 * _median(square)  # not where all atoms turn
        odd = (np.abs(ratio - middle) > limit) | (across - beyond > _DRAWN)
        for row in np.flatnonzero(moving & odd).tolist():
            single = np.square(beside[row]).reshape(-1, 3).sum(axis=1)
            if single.sum() ** 2 < _OF_ALL * len(single) * float(single @ single):
                continue  # collisions of a few atoms: Andersen's thermostat
            deviation = float(ratio[row] - middle)
            part, rest = 0.25 * deviation**2, max(float(across[row]) - beyond, 0.0)
            scaled, drawn = rest < _ALONG * part and beyond < _SMOOTH, rest > _DRAWN
            if not scaled and not drawn:
                continue
            frames = block.frames[first + row + 1 : first + row + 3]
            change = Change(frames[1].index, deviation, part + rest, scaled, *map(_kinetic, frames))
            self.changes.add(change)
            if self._known is not None:
                self._known.add(change)


def _same_temperature(changes: list[Change]) -> bool:
    """Whether the temperature is the same after each change: a thermostat or a command rescales to it."""
    if len(changes) < _TELLING:
        return False
    from scipy.stats import f as variance_ratio

    deviations = np.array([change.deviation for change in changes])
    before, after = (np.log([getattr(c, side) for c in changes]) for side in ("before", "after"))
    # the first of the two frames has its old velocities if Δr follows the new ones
    old_first = float(deviations @ (after - before)) > 0.0
    factors = 2.0 * np.log1p((1.0 if old_first else -1.0) * deviations / _INNER)
    cold, hot = (before, before + factors) if old_first else (after - factors, after)
    chance = variance_ratio.cdf(hot.var() / max(cold.var(), 1e-300), len(changes) - 1, len(changes) - 1)
    return bool(chance < _BY_CHANCE)  # replicas scatter before and after alike


def _median(values: Array) -> float:
    """Of a few hundred numbers, without what np.median does besides."""
    ordered, half = np.sort(values), len(values) // 2
    return float(ordered[half] if len(values) % 2 else 0.5 * (ordered[half - 1] + ordered[half]))


def _kinetic(frame: Frame) -> float:
    v = frame.velocities_ang_fs
    assert v is not None  # blocks of frames with velocities
    return max(float(np.einsum("i,ia,ia->", frame.masses_amu, v, v)), 1e-300)


def _places(indices: list[int]) -> str:
    shown = ", ".join(str(index) for index in indices[:4]) + (" …" if len(indices) > 4 else "")
    return f"frame {shown}" if len(indices) == 1 else f"{len(indices)} frames ({shown})"
