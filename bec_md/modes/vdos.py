r"""Vibrational density of states by species, from velocities.

.. math:: g_s(\tilde\nu) = \frac{f}{\sum_i m_i\langle v_i^2\rangle}\; 2c \int_{-\infty}^{\infty}
          w(t) \sum_{i\in s} m_i \langle v_i(t)\cdot v_i(0)\rangle\, e^{iωt}\, dt

v in the barycentric frame, w the same lag window as the spectrum's, resolution its full width at half
maximum. :math:`\int_0^\infty \sum_s g_s\, d\tilde\nu = f`, the 3N − 3 degrees of freedom less those of rigid
distances (3N of the mobile atoms beside frozen ones, and no barycentric frame): states per cm⁻¹, however the
kinetic energy is distributed; at equipartition a species' share is its number of degrees of freedom.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import Array, Complex, brief_repr
from bec_md.current.mobility import PROBED, find_immobile, later_frames
from bec_md.current.prepare import timestep_of
from bec_md.current.rigidity import count_constraints
from bec_md.current.rotation import count_rotations
from bec_md.errors import DataError
from bec_md.modes.projection import velocities_of
from bec_md.spectrum.errors.uncertainty import jackknife_error
from bec_md.spectrum.estimators import corrections, correlation, one_sided
from bec_md.spectrum.estimators.lag_window import default_resolution_cm, lag_window

if TYPE_CHECKING:
    from bec_md.trajectory.frame import Trajectory


@dataclass(frozen=True, eq=False)
class VibrationalDos:
    """Density of states.

    Parameters
    ----------
    wavenumber_cm
        (F,) from zero.
    species
        Symbol → (F,) states per cm⁻¹.
    species_err
        Symbol → (F,) jackknife standard error over stretches of the run; NaN for short runs.
    degrees_of_freedom
        The integral of the sum: 3N − 3 without frozen atoms and rigid distances.
    resolution_cm, timestep_fs, scheme
        Full width at half maximum of the smoothing, cm⁻¹; time between samples, fs; "velocity" or "midpoint".
    """

    wavenumber_cm: Array
    species: Mapping[str, Array]
    species_err: Mapping[str, Array]
    degrees_of_freedom: float
    resolution_cm: float
    timestep_fs: float
    scheme: str

    __repr__ = brief_repr

    @property
    def total(self) -> Array:
        """Sum over species."""
        return np.asarray(np.sum(list(self.species.values()), axis=0))


def compute_vdos(
    trajectory: Trajectory,
    *,
    resolution_cm: float | None = None,
    timestep_fs: float | None = None,
    max_cm: float | None = None,
    window: str = "gaussian",
) -> VibrationalDos:
    """Density of states of a trajectory, in one pass with bounded memory.

    Parameters
    ----------
    trajectory
        With velocities, or with positions (midpoint differences, whose damping is divided out).
    resolution_cm
        Full width at half maximum of the smoothing kernel, cm⁻¹; as in `compute_spectrum` by default.
    timestep_fs
        Time between frames, if the trajectory does not state it.
    max_cm
        Highest wavenumber returned; the Nyquist wavenumber by default.
    window
        Lag window.

    Returns
    -------
    VibrationalDos
        Density of states per element; its integral is the number of degrees of freedom.

    Raises
    ------
    UsageError
        If the time between frames or the number of frames is unknown.
    DataError
        If there are too few frames.
    """
    from ase.data import chemical_symbols

    info = trajectory.info
    step, samples = _time_grid(trajectory, timestep_fs)
    if resolution_cm is None:
        resolution_cm = default_resolution_cm(samples * step, samples * step)
    weights = lag_window(resolution_cm, step, samples, window)
    max_lag = len(weights) - 1
    symbols = [chemical_symbols[int(n)] for n in info.numbers]
    names = tuple(dict.fromkeys(symbols))
    member = np.array([names.index(s) for s in symbols])
    freedom, anchored = _degrees_of_freedom(trajectory, step)
    length = correlation.block_length(samples, max_lag)
    stretches = _stretches(trajectory, step, length, max_lag, anchored)
    sums = _accumulate(stretches, length + 2 * min(max_lag, samples), max_lag, member, len(names))
    grid = one_sided.grid_size(max_lag, step, resolution_cm)
    scheme = "velocity" if info.velocity_scheme == "stored" else "midpoint"
    nu = one_sided.wavenumber_grid_cm(grid, step)
    gain = corrections.undamped_gain(nu, step, scheme)

    def smooth(power: Array, count: Array) -> Array:
        """Return the smoothed density of states of a mean power."""
        raw = correlation.even_correlation(power, sums.size, max_lag) / count[..., None, None]
        return one_sided.two_sided_transform(raw * weights, grid, step) * gain

    blocks = smooth(sums.power, sums.count)  # (K, S, F)
    share = sums.count / sums.count.sum()
    power = np.einsum("k,ksf->sf", share, blocks)
    area = float(np.trapezoid(power.sum(axis=0), nu))
    if not (area > 0.0 and freedom > 0.0):
        raise DataError(
            f"no atom of {info.source} moves against the others",
            "a density of states is that of motions about the center of mass",
            "give the trajectory of several atoms that move",
        )
    scale = freedom / area
    stop = len(nu) if max_cm is None else int(np.searchsorted(nu, max_cm, side="right"))
    error = np.full_like(power, np.nan)
    if len(share) >= 5:
        error = jackknife_error(blocks, sums.count)
    return VibrationalDos(
        nu[:stop],
        {name: scale * power[g, :stop] for g, name in enumerate(names)},
        {name: scale * error[g, :stop] for g, name in enumerate(names)},
        freedom,
        float(resolution_cm),
        float(step),
        scheme,
    )


def _degrees_of_freedom(trajectory: Trajectory, step: float) -> tuple[float, bool]:
    """Count what moves in the first frames; whether atoms hold the crystal in its place."""
    frames = list(islice(trajectory.frames(), PROBED))
    mobility = find_immobile(frames, step, trajectory)
    free, anchored = mobility.free(trajectory.info.masses_amu), mobility.immobile is not None
    held = count_constraints(frames, free) + mobility.held_count
    if not anchored and mobility.held is None:
        held += count_rotations(frames, later_frames(trajectory))
    return 3.0 * float(free.sum()) - (0.0 if anchored else 3.0) - held, anchored


def _time_grid(trajectory: Trajectory, timestep_fs: float | None) -> tuple[float, int]:
    """Time between frames and number of velocities, refusing what is unknown or too short."""
    info = trajectory.info
    step = timestep_of(info, timestep_fs, is_open=True)
    known = info.n_frames if info.n_frames is not None else sum(1 for _ in trajectory.frames())
    samples = known - (0 if info.velocity_scheme == "stored" else 1)
    if samples < 16:
        raise DataError(
            f"{samples} velocities of {info.source}",
            "a spectrum needs at least 16",
            "use a longer trajectory",
        )
    return step, samples


@dataclass(frozen=True, eq=False)
class _Sums:
    """Power (K, S, F) of consecutive stretches, their samples (K,), and the FFT length."""

    power: Array
    count: Array
    size: int


def _accumulate(
    stretches: Iterable[tuple[Array, int, int]],
    longest: int,
    max_lag: int,
    member: NDArray[np.intp],
    n_species: int,
) -> _Sums:
    from scipy import fft

    size = fft.next_fast_len(longest, real=True)
    power, count = [], []
    for extended, before, inner in stretches:
        part = np.zeros((n_species, size // 2 + 1))
        for atom in range(extended.shape[1]):  # one atom at a time: transforms of all would fill the memory
            channels = np.ascontiguousarray(extended[:, atom].T)
            x, y = correlation.block_transforms(channels, before, inner, max_lag, size)
            part[member[atom]] += _product(x, y)
        power.append(part)
        count.append(float(inner))
    return _Sums(np.array(power), np.array(count), size)


def _product(x: Complex, y: Complex) -> Array:
    return np.asarray(np.sum(x.real * y.real + x.imag * y.imag, axis=0))


def _stretches(
    trajectory: Trajectory, step: float, length: int, max_lag: int, anchored: bool
) -> Iterator[tuple[Array, int, int]]:
    """Weighted velocities √m_i (v_i − v_com), (n, N, 3), of stretches extended by max_lag on both sides.

    Beside frozen atoms momentum is not conserved, and v_com is left where it is.
    """
    masses = trajectory.info.masses_amu
    share, root = (0.0 if anchored else 1.0) * masses / masses.sum(), np.sqrt(masses)[:, None]
    kept: list[Array] = []
    begin, start = 0, 0  # sample of kept[0], and of the stretch
    for velocity, _ in velocities_of(trajectory, step):
        kept.append(root * (velocity - share @ velocity))
        if begin + len(kept) == start + length + max_lag:
            yield np.array(kept), start - begin, length
            start += length
            drop = max(start - max_lag, 0) - begin
            del kept[:drop]
            begin += drop
    rest = begin + len(kept) - start
    while rest > 0:
        inner = min(length, rest)
        stop = min(start + inner + max_lag - begin, len(kept))
        yield np.array(kept[:stop]), start - begin, inner
        start, rest = start + inner, rest - inner
        drop = max(start - max_lag, 0) - begin
        del kept[:drop]
        begin += drop
