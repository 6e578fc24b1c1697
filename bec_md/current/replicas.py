"""Whether several currents are replicas: runs of one system, with the same charges, at one temperature."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bec_md.arrays import Array
from bec_md.errors import UsageError

if TYPE_CHECKING:
    from bec_md.current.series import CurrentSeries

#: Relative difference of masses above which atoms are others (isotopes), not spelled with fewer digits.
_SAME_MASS = 1e-3
#: Net charge, e, that is none.
_SAME_CHARGE = 1e-6
#: Relative difference of Σ Z and Σ ZZᵀ/m up to which constant tensors are the same in another order.
_SAME_TENSORS = 1e-5
#: Relative difference of temperatures, and of volumes per atom, from which it is said.
_WORTH_SAYING = 0.05
#: Relative difference of degrees of freedom that rigid bonds may make which hardly moved.
_BY_SLOW_MOTION = 0.1
#: Probability of temperatures as different as that by chance.
_BY_CHANCE = 0.05
_WHY = "spectra are averaged over replicas; the mean of two systems is the spectrum of neither"


def require_same_atoms(series: Sequence[Any], names: Sequence[str]) -> None:
    """Refuse currents, or jobs that compute them, whose groups, atoms or masses are not the same.

    Parameters
    ----------
    series
        Anything with `groups`, `group_count` and `group_mass_amu`.
    names
        What they are called in messages.

    Raises
    ------
    UsageError
        If they differ.
    """
    first, called = series[0], names[0]
    for other, name in zip(series[1:], names[1:], strict=True):
        numbered = any(getattr(one, "metadata", {}).get("sublattices") for one in (first, other))
        mixed = numbered and list(other.groups) != list(first.groups)  # the same number may be another site
        if mixed or sorted(other.groups) != sorted(first.groups):
            raise UsageError(
                f"{name} has groups {tuple(other.groups)}, {called} has {tuple(first.groups)}",
                _WHY,
                "compute the currents with the same groups, or analyze them one by one",
            )
        if other.group_count is None or first.group_count is None:
            continue
        order = [list(other.groups).index(group) for group in list(first.groups)]
        counts, known = np.asarray(other.group_count)[order], np.asarray(first.group_count)
        if not np.array_equal(counts, known):
            raise UsageError(
                f"{name} has {_counted(first.groups, counts)}, {called} {_counted(first.groups, known)}",
                _WHY,
                "analyze them one by one",
            )
        if other.group_mass_amu is None or first.group_mass_amu is None:
            continue
        own = np.asarray(other.group_mass_amu)[order] / np.maximum(known, 1)
        masses = np.asarray(first.group_mass_amu) / np.maximum(known, 1)
        odd = np.flatnonzero(np.abs(own - masses) > _SAME_MASS * masses)
        if odd.size:
            group = int(odd[0])
            raise UsageError(
                f"an atom of {first.groups[group]} weighs {own[group]:.6g} amu in {name}, "
                f"{masses[group]:.6g} amu in {called}",
                "isotopes move at other frequencies",
                "give both the same masses (`masses`), or analyze them one by one",
            )


def in_one_order(series: Sequence[CurrentSeries]) -> list[CurrentSeries]:
    """Return currents with their groups in the order of the first: files have their atoms in any order."""
    return [one if one.metadata.get("sublattices") else one.in_order(series[0].groups) for one in series]


def require_same_system(series: Sequence[CurrentSeries]) -> None:
    """Refuse currents that differ in groups, number of atoms, masses, charges or net charge.

    What a current of another code does not carry is not compared.

    Raises
    ------
    UsageError
        If they differ; it says in what.
    """
    names = replica_names(series)
    require_same_atoms(series, names)
    first = series[0]
    for other, name in zip(series[1:], names[1:], strict=True):
        if not same_charges(first, other):
            label, known = (str(one.metadata.get("charges")) for one in (other, first))
            known = known if known != label else "others of that name"
            raise UsageError(
                f"{name} has charges {label}, {names[0]} {known}",
                _WHY,
                "compute the currents with the same charges, or analyze them one by one and compare",
            )
        if abs(other.total_charge_e - first.total_charge_e) > _SAME_CHARGE:
            raise UsageError(
                f"{name} has a net charge of {other.total_charge_e:+g} e, {names[0]} "
                f"{first.total_charge_e:+g} e",
                _WHY,
                "analyze them one by one",
            )


def common_constraints(series: Sequence[CurrentSeries]) -> int:
    """Return the number of rigid bonds and angles in the cell that replicas show: that of the one with most.

    Raises
    ------
    UsageError
        If one moves with other rigid bonds, or other frozen atoms, than another.
    """
    counts = [int(one.metadata.get("constraints") or 0) for one in series]
    known = [
        (name, count, one.degrees_of_freedom(count))
        for name, count, one in zip(replica_names(series), counts, series, strict=True)
        if one.metadata.get("constraints") is not None
    ]
    free = [(freedom, name, count) for name, count, freedom in known if freedom is not None]
    if free:
        low, high = min(free), max(free)
        if low[0] < (1.0 - _BY_SLOW_MOTION) * high[0]:
            raise UsageError(
                f"{low[1]} moves with {low[0]:.0f} degrees of freedom, {high[1]} with {high[0]:.0f} "
                f"({low[2]} and {high[2]} distances are rigid, or axes held)",
                "with other bonds rigid, or other atoms frozen or held, it is another system; " + _WHY,
                "analyze them one by one, or state the number of rigid distances with `constraints`",
            )
    return max(counts)


def same_charges(one: CurrentSeries, other: CurrentSeries) -> bool:
    """Whether two currents have the same Born effective charges, as far as both say which they have."""
    hashes = [_content(series.metadata.get("charges_hash")) for series in (one, other)]
    if None in hashes or hashes[0] == hashes[1]:
        return True
    # constant tensors are hashed atom by atom: other files may have the atoms in another order
    sums = [_sums_of_tensors(series) for series in (one, other)]
    return all(
        a is not None and b is not None and a.shape == b.shape and _close(a, b)
        for a, b in zip(*sums, strict=True)
    )


def _sums_of_tensors(series: CurrentSeries) -> tuple[Array | None, Array | None]:
    """Return Σ Z of each group in the first frame and the mean of Σ ZZᵀ/m: no order of atoms changes them."""
    first = None if series.charge_sum is None else series.read("charge_sum", slice(0, 1))
    return first, series.averages.zz_over_mass


def _close(one: Array, other: Array) -> bool:
    return bool(np.abs(one - other).max() <= _SAME_TENSORS * np.abs(one).max())


def _content(fingerprint: Any) -> str | None:
    """Return the hash of a network without the instructions of the processor that it ran with."""
    return None if fingerprint is None else str(fingerprint).split(":")[0]


def doubts_of(series: Sequence[CurrentSeries], constraints: int = 0) -> tuple[str, ...]:
    """Say where temperatures or volumes of replicas differ by more than they do by chance, in sentences.

    Parameters
    ----------
    series
        The replicas.
    constraints
        Rigid bonds and angles in the cell.
    """
    if len(series) < 2:
        return ()
    return tuple(text for text in (_temperatures(series, constraints), _volumes(series)) if text)


def _temperatures(series: Sequence[CurrentSeries], constraints: int) -> str:
    r"""Compare temperatures, stated or of the motion.

    The energy of a run at constant energy that begins from a canonical state scatters by
    :math:`T/\sqrt f` with f degrees of freedom, and a thermostat lets it scatter less: that is the error of
    a kinetic temperature as a sample of the ensemble.
    """
    known, weights = [], []
    for one in series:
        kinetic = None if one.temperature_k is not None else one.kinetic_temperature(constraints)
        value = one.temperature_k if kinetic is None else kinetic[0]
        if value is None or not np.isfinite(value) or value <= 0.0:
            return ""
        known.append(float(value))
        weights.append(np.inf if kinetic is None else one.degrees_of_freedom(constraints))
    low, high = int(np.argmin(known)), int(np.argmax(known))
    mean = float(np.average(known, weights=[one.n_frames for one in series]))
    if known[high] - known[low] <= _WORTH_SAYING * mean or _by_chance(np.log(known), np.array(weights)):
        return ""
    names = replica_names(series)
    return (
        f"the temperatures of replicas differ: {known[low]:.4g} K of {names[low]}, {known[high]:.4g} K of "
        f"{names[high]}, more than they scatter by chance; spectra of all are divided by one k_B T: average "
        "runs at one temperature"
    )


def _by_chance(logarithms: Array, freedom: Array) -> bool:
    """Whether numbers with variances 1/freedom have the scatter that these variances give."""
    from scipy.special import chdtrc

    if not np.isfinite(freedom).all():
        return False
    middle = np.average(logarithms, weights=freedom)
    return bool(chdtrc(len(freedom) - 1, float(freedom @ (logarithms - middle) ** 2)) > _BY_CHANCE)


def _volumes(series: Sequence[CurrentSeries]) -> str:
    if any(one.n_atoms is None for one in series):
        return ""
    each = [one.volume_ang3 / float(one.n_atoms or 1) for one in series]
    low, high = int(np.argmin(each)), int(np.argmax(each))
    if each[high] <= (1.0 + _WORTH_SAYING) * each[low]:
        return ""
    names = replica_names(series)
    return (
        f"the volumes of replicas differ: {each[low]:.4g} Å³ per atom of {names[low]}, {each[high]:.4g} Å³ "
        f"of {names[high]}; the spectrum is that of no single density: average runs of one"
    )


def replica_names(series: Sequence[CurrentSeries]) -> list[str]:
    """Return what replicas are called in messages: their number, with the source where it is known."""
    sources = [one.metadata.get("source") for one in series]
    return [f"replica {number}" + (f" ({source})" if source else "") for number, source in enumerate(sources)]


def _counted(groups: Sequence[str], counts: Array) -> str:
    each = ", ".join(f"{count} {group}" for group, count in zip(groups, counts, strict=True))
    return f"{int(counts.sum())} atoms ({each})"
