"""What labels as a whole give away: lengths in bohr, the other sign, a net charge that nobody stated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from bec_md.errors import DataError
from bec_md.evaluation.metrics import sum_rule_excess
from bec_md.network.vacuum import open_remark
from bec_md.structure import Frame
from bec_md.structure.names import CHARGES

#: Structures whose lengths are looked at, evenly among those given.
_SAMPLED = 20
#: ΣZ − Q of a charged cell that is taken for neutral is an integer times the unit matrix, within this, e.
_INTEGER_E = 0.15
#: Elements whose mean charge has one sign wherever they are; oxygen beside fluorine may have the other.
_NEGATIVE, _POSITIVE = (8, 9), (3, 11, 19, 37, 55, 4, 12, 20, 38, 56)
#: A mean charge of the other sign above this tells, e.
_OTHER_SIGN_E = 0.3


def label_doubts(frames: Sequence[Frame]) -> list[str]:
    """Say what looks wrong with labelled structures, sentence by sentence.

    Raises
    ------
    DataError
        If the atoms of most structures do not fit into their cells.
    """
    return [*_lengths(frames), *_periods(frames), *_sign(frames), *_net_charge(frames)]


def other_level(stated: str, own: str, known: Sequence[str]) -> str | None:
    """The level of theory among `known` that a label names, where it is another than `own`.

    Parameters
    ----------
    stated
        Of the label, by its name or as `collect` names it: ``PBE+U VASP`` is pbe-u, ``PBE VASP`` is not.
    own
        That of the prediction, or of the training; ``pbe-gamma-only`` is no other than ``PBE VASP``.
    known
        Levels of a model.
    """
    if stated in known:
        return stated if stated != own else None
    functional = stated.split(" ")[0].lower().replace("+", "-")
    same = f"{own}-".startswith(f"{functional}-") and not f"{own}-".startswith(f"{functional}-u-")
    return functional if functional in known and not same else None


def _lengths(frames: Sequence[Frame]) -> Iterator[str]:
    """Lengths of another unit, where most structures have them."""
    from bec_md.trajectory.lengths import check_lengths

    some = np.unique(np.linspace(0, len(frames) - 1, min(_SAMPLED, len(frames))).astype(int))
    found: list[str] = []
    misfits: list[DataError] = []
    for frame in (frames[i] for i in some):
        try:
            found += filter(None, [check_lengths(frame, "labels")])
        except DataError as error:
            misfits += [error] if frame.pbc.any() else []  # without periods vectors of a cell mean nothing
    if 2 * len(misfits) > len(some):
        raise misfits[0]
    if 2 * len(found) > len(some):
        yield found[0]


def _periods(frames: Sequence[Frame]) -> Iterator[str]:
    """Crystals that are not marked as periodic."""
    found = [(frame, remark) for frame in frames if (remark := open_remark(frame))]
    if found:
        frame, remark = found[0]
        yield f"{len(found)} of {len(frames)} structures (frame {frame.index}, {frame.formula}): {remark}"


def _sign(frames: Sequence[Frame]) -> Iterator[str]:
    """Tensors in which what is always a cation is an anion, and the reverse."""
    from ase.data import chemical_symbols

    numbers = np.concatenate([frame.numbers for frame in frames])
    charge = np.concatenate([np.trace(frame.labels[CHARGES], axis1=1, axis2=2) for frame in frames]) / 3
    telling = [9] if 9 in numbers else list(_NEGATIVE)
    means = {z: float(charge[numbers == z].mean()) for z in (*telling, *_POSITIVE) if z in numbers}
    if means and all((mean if z in _NEGATIVE else -mean) > _OTHER_SIGN_E for z, mean in means.items()):
        said = ", ".join(f"{chemical_symbols[z]} {mean:+.2f}" for z, mean in means.items())
        yield (
            f"mean charges {said} e: the tensors look like −Z* (a field or force of the other sign); Z*_ab "
            "is ∂M_a/∂u_b = ∂F_b/∂E_a"
        )


def _net_charge(frames: Sequence[Frame]) -> Iterator[str]:
    """Tensors that add up to an integer: those of a charged cell whose charge nobody stated."""
    found: dict[int, list[Frame]] = {}
    for frame in frames:
        excess = sum_rule_excess(frame.labels[CHARGES], frame.total_charge)
        number = round(float(np.trace(excess)) / 3)
        if number and np.abs(excess - number * np.eye(3)).max() < _INTEGER_E:
            found.setdefault(number, []).append(frame)
    for number, those in sorted(found.items()):
        yield (
            f"the tensors of {len(those)} of {len(frames)} structures add up to {number:+d} e times the unit "
            f"matrix beside their net charge (frame {those[0].index}, {those[0].formula}), as those of a "
            "charged cell: state total_charge, or it is spread over all atoms"
        )
