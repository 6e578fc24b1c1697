"""The three estimators behind one result: a symmetric power-spectrum matrix with its exact variance.

Each is the periodogram convolved with a non-negative kernel of the requested full width at half maximum;
they differ in the kernel's shape and in how they treat the ends of the series.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import Array
from bec_md.errors import UsageError
from bec_md.spectrum.estimators import correlation, multitaper, one_sided, taper, welch
from bec_md.spectrum.estimators.blocks import SHORTEST_SHARE, CurrentBlocks
from bec_md.spectrum.estimators.cross_power import CrossPower
from bec_md.spectrum.estimators.lag_window import lag_window
from bec_md.units import SPEED_OF_LIGHT_CM_FS

JACKKNIFE_BLOCKS = 20
#: Finest resolution that is accepted, and finest one that the grid of frequencies follows, in units of the
#: inverse length of the run: what is finer than the run can show would only be interpolated.
FINEST, FINEST_GRID = 0.01, 0.3
#: Estimators that average periodograms of tapered segments: what makes the tapers (K, n) from the relative
#: width of the kernel and the shortest length, and the share by which segments overlap.
TAPERED: Mapping[str, tuple[Callable[[float, int], Array], float]] = {
    "welch": (welch.welch_tapers, welch.OVERLAP),
    "multitaper": (multitaper.multitaper_tapers, multitaper.OVERLAP),
}


@dataclass(frozen=True)
class PowerSpectra:
    """Two-sided power spectral densities of the current, in (e Å/fs)² fs, on the grid 0 … Nyquist.

    Parameters
    ----------
    wavenumber_cm
        (F,) from 0 to the Nyquist wavenumber.
    total
        (6, F) total current, Voigt components.
    partial, auto
        (G, 6, F) each group with the total (sums to `total`), and with itself.
    matrix
        (G, G, F) all pairs of groups, traces; empty unless asked for.
    members
        (M, F) trace for each member of the model ensemble.
    block_trace, block_weight
        (K, F) and (K,): trace of consecutive stretches and their weights, for the jackknife.
    relative_variance
        (F,) variance of one component over its square.
    correlation
        (6, L + 1) biased autocorrelation before the lag window (what the lag window is multiplied with),
        (e Å/fs)².
    lag_window
        (L + 1,) the (equivalent) lag window.
    total_time_fs
        Length of all replicas together.
    excess
        (2, 3, F) variance of S_aa over that of a spectrum flat over the kernel, and the squares of single
        ordinates over that of S_aa (`ordinates.with_excess`); None: the spectra count as flat.
    leakage, partial_leakage
        (6, F) part of `total`, and (G, F) of the mean of axes of `partial`, that the ends of the run make:
        bands leak as 1/ω² into the dark. Empty where tapers prevent it.
    kept
        (L + 1,) part of the correlation that a biased one has, 1 − k/N of one run. Empty with tapers.
    """

    wavenumber_cm: Array
    total: Array
    partial: Array
    auto: Array
    matrix: Array
    members: Array
    block_trace: Array
    block_weight: Array
    relative_variance: Array
    correlation: Array
    lag_window: Array
    timestep_fs: float
    total_time_fs: float
    excess: Array | None = None
    leakage: Array = field(default_factory=lambda: np.zeros(0))
    partial_leakage: Array = field(default_factory=lambda: np.zeros(0))
    kept: Array = field(default_factory=lambda: np.zeros(0))

    @property
    def line_window(self) -> Array:
        """(L + 1,) what the correlation of a line is multiplied with: a biased one falls, too."""
        return self.lag_window * self.kept if self.kept.size else self.lag_window

    @property
    def middle_variance(self) -> float:
        """Relative variance far from zero and from the Nyquist wavenumber."""
        return float(self.relative_variance[len(self.relative_variance) // 2])

    @property
    def bandwidth_cm(self) -> float:
        """Equivalent noise bandwidth, cm⁻¹: points this far apart are independent, a variance is 1/(TB)."""
        return 1.0 / (SPEED_OF_LIGHT_CM_FS * self.total_time_fs * self.middle_variance)


@dataclass(frozen=True)
class EstimateOptions:
    """What to compute: estimator, resolution (kernel FWHM, cm⁻¹), lag window, groups, group–group matrix."""

    estimator: str
    resolution_cm: float
    window: str = "gaussian"
    groups: bool = True
    matrix: bool = False


def check_resolution(blocks: CurrentBlocks, options: EstimateOptions) -> None:
    """Refuse a resolution that the run does not have.

    Raises
    ------
    UsageError
        If the resolution is finer than the run can show, or too coarse for its time step.
    """
    period = _period_cm(blocks)
    if options.resolution_cm < FINEST * period:
        raise UsageError(
            f"resolution {options.resolution_cm:g} cm⁻¹ with a run of {max(blocks.lengths)} samples",
            f"the run lasts one period of {period:.3g} cm⁻¹: nothing finer can be seen in it",
            f"ask for {max(3.0 * period, 0.01):.2g} cm⁻¹ or more, or run longer",
        )
    nyquist = 0.5 / (SPEED_OF_LIGHT_CM_FS * blocks.timestep_fs)
    if options.resolution_cm > 0.5 * nyquist:
        raise UsageError(
            f"resolution {options.resolution_cm} cm⁻¹ is over half the Nyquist wavenumber {nyquist:.0f} cm⁻¹",
            "nothing would be left to resolve",
            "store frames more often, or ask for a finer resolution",
        )


def estimate(blocks: CurrentBlocks, options: EstimateOptions) -> PowerSpectra:
    """Power spectra of the current by the chosen estimator; see `check_resolution`."""
    return _tapered(blocks, options) if options.estimator in TAPERED else _lag(blocks, options)


def _period_cm(blocks: CurrentBlocks) -> float:
    """Wavenumber of one period in the longest run, cm⁻¹."""
    return 1.0 / (SPEED_OF_LIGHT_CM_FS * blocks.timestep_fs * max(blocks.lengths))


def grid_resolution_cm(blocks: CurrentBlocks, options: EstimateOptions) -> float:
    """Return the resolution that the grid follows: none finer than the run can show."""
    return max(options.resolution_cm, FINEST_GRID * _period_cm(blocks))


def _new_sums(blocks: CurrentBlocks, options: EstimateOptions, n_freq: int, n_blocks: int) -> CrossPower:
    many = options.groups and len(blocks.groups) > 1
    keep = n_blocks if n_blocks >= 5 else 0
    return CrossPower(
        len(blocks.groups) if many else 0, blocks.n_members, n_freq, keep, many and options.matrix
    )


Transform = Callable[[Array], tuple[NDArray[np.complex128], NDArray[np.complex128]]]


def _add(sums: CrossPower, current: Array, transform: Transform, block: int, weight: float) -> None:
    """Transform one block of group currents (G, 3, n) and add all products."""
    x_total, y_total = transform(current.sum(axis=0))
    sums.add_total(x_total, y_total, block, weight)
    kept = []
    for group in range(sums.partial.shape[0]):
        x, y = transform(current[group])
        sums.add_group(group, x, y, y_total)
        if sums.matrix.size:
            kept.append((x, y))
    if kept:
        sums.add_matrix([x for x, _ in kept], [y for _, y in kept])


def _lag(blocks: CurrentBlocks, options: EstimateOptions) -> PowerSpectra:
    from scipy import fft

    step, lengths = blocks.timestep_fs, blocks.lengths
    window = lag_window(options.resolution_cm, step, max(lengths), options.window)
    max_lag = len(window) - 1
    length = correlation.block_length(max(lengths), max_lag, JACKKNIFE_BLOCKS)
    size = fft.next_fast_len(length + 2 * min(max_lag, max(lengths)), real=True)
    pieces = [(r, s, min(s + length, n)) for r, n in enumerate(lengths) for s in range(0, n, length)]
    n_kept = min(JACKKNIFE_BLOCKS, len(pieces))
    sums = _new_sums(blocks, options, size // 2 + 1, n_kept)
    for number, (replica, start, stop) in enumerate(pieces):
        begin = max(start - max_lag, 0)
        end = min(stop + max_lag, lengths[replica])
        before, inner = start - begin, stop - start

        def transform(
            data: Array, before: int = before, inner: int = inner
        ) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
            """Transforms of the blocks that correlation needs."""
            return correlation.block_transforms(data, before, inner, max_lag, size)

        block = number * n_kept // len(pieces)
        _add(sums, blocks.read(replica, begin, end), transform, block, float(inner))
        if sums.members.shape[0]:
            for member, current in enumerate(blocks.read_members(replica, begin, end)):
                sums.add_member(member, *transform(current))

    grid = one_sided.grid_size(max_lag, step, grid_resolution_cm(blocks, options))

    def smooth(power: Array, norm: float | Array, weight: Array = window) -> Array:
        """Spectrum of a correlation within the lag window."""
        if power.ndim > 2:  # group by group: transforms of all at once would double the memory
            return np.array([smooth(one, norm) for one in power]).reshape(*power.shape[:-1], grid // 2 + 1)
        raw = correlation.even_correlation(power, size, max_lag) / norm
        return one_sided.two_sided_transform(raw * weight, grid, step)

    n, kept = float(sum(lengths)), kept_part(max_lag, lengths)
    lost = window * (1.0 - 1.0 / np.maximum(kept, 0.5))  # −k/(N − k), at least −1: what leaks at the ends
    weights = sums.block_weight
    return PowerSpectra(
        wavenumber_cm=one_sided.wavenumber_grid_cm(grid, step),
        total=smooth(sums.total, n),
        partial=smooth(sums.partial, n),
        auto=smooth(sums.auto, n),
        matrix=smooth(sums.matrix, n),
        members=smooth(sums.members, n),
        block_trace=smooth(sums.blocks, weights[:, None]) if weights.size else np.zeros((0, grid // 2 + 1)),
        block_weight=weights,
        relative_variance=lag_window_variance(window, lengths, grid),
        correlation=correlation.even_correlation(sums.total, size, max_lag) / n,
        leakage=smooth(sums.total, n, lost),
        partial_leakage=smooth(sums.partial[:, :3].mean(axis=1), n, lost),
        lag_window=window,
        timestep_fs=step,
        total_time_fs=n * step,
        kept=kept,
    )


def kept_part(max_lag: int, lengths: Sequence[int]) -> Array:
    """Part of the correlation, (L + 1,), that a biased one has, which keeps a spectrum non-negative."""
    lags = np.arange(max_lag + 1)
    return np.asarray(np.sum([np.clip(n - lags, 0.0, None) for n in lengths], axis=0) / float(sum(lengths)))


def lag_window_variance(window: Array, lengths: tuple[int, ...], size: int) -> Array:
    r"""Exact relative variance of a lag-window estimate of white noise on the grid of an FFT.

    .. math:: \frac1N \sum_{|k|\le L} (1-|k|/N)\, w_k^2\, [1 + \cos 2\omega k\Delta]
    """
    from scipy import fft

    lags = np.arange(len(window))
    total = float(sum(lengths))
    weight = sum(np.clip(n - lags, 0.0, None) for n in lengths) * window**2 / total**2
    weight[1:] *= 2.0
    transform = fft.fft(weight, size).real
    return np.asarray(transform[0] + transform[(2 * np.arange(size // 2 + 1)) % size])


def _tapered(blocks: CurrentBlocks, options: EstimateOptions) -> PowerSpectra:
    from scipy import fft

    step, lengths = blocks.timestep_fs, blocks.lengths
    width = options.resolution_cm * SPEED_OF_LIGHT_CM_FS * step
    make_tapers, overlap = TAPERED[options.estimator]
    shortest = SHORTEST_SHARE * max(lengths)  # a shorter replica would widen the kernel of all
    tapers = make_tapers(width, min(n for n in lengths if n >= shortest))
    n_tapers, n = tapers.shape
    hop = max(round(n * (1.0 - overlap)), 1)
    grid = one_sided.grid_size(n, step, grid_resolution_cm(blocks, options))
    starts = [welch.segment_starts(length, n, hop) for length in lengths]
    count = sum(s.size for s in starts)
    n_kept = min(JACKKNIFE_BLOCKS, count // 4)  # overlapping neighbors are correlated
    sums = _new_sums(blocks, options, grid // 2 + 1, n_kept)

    for number, (replica, start) in enumerate(_all_segments(starts)):
        current = blocks.read(replica, start, start + n)
        members = blocks.read_members(replica, start, start + n) if sums.members.shape[0] else np.zeros(0)
        for window in tapers:

            def transform(
                data: Array, window: Array = window
            ) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
                """Transform of a tapered segment."""
                both = fft.rfft(data * window, grid, axis=-1, workers=2)
                return both, both

            _add(sums, current, transform, number * max(n_kept, 1) // count, 1.0)
            for member, data in enumerate(members):
                sums.add_member(member, *transform(data))

    scale = step / (count * n_tapers)
    weights = sums.block_weight
    variance = sum(
        s.size**2 * taper.relative_variance(tapers, _spacing(s, n), int(s.size), grid)
        for s in starts
        if s.size
    )
    total = sums.total * scale
    equivalent = taper.equivalent_lag_window(tapers)
    windowed = one_sided.correlation_from_spectrum(total, step)[:, :n]
    return PowerSpectra(
        wavenumber_cm=one_sided.wavenumber_grid_cm(grid, step),
        total=total,
        partial=sums.partial * scale,
        auto=sums.auto * scale,
        matrix=sums.matrix * scale,
        members=sums.members * scale,
        block_trace=sums.blocks * step / np.maximum(weights, 1.0)[:, None],
        block_weight=weights,
        relative_variance=np.asarray(variance) / count**2,
        correlation=windowed / np.where(equivalent > 1e-3, equivalent, np.inf),
        lag_window=equivalent,
        timestep_fs=step,
        total_time_fs=float(sum(m for m in lengths if m >= n)) * step,
    )


def _spacing(starts: NDArray[np.int64], length: int) -> int:
    return int(starts[1] - starts[0]) if starts.size > 1 else length


def _all_segments(starts: list[NDArray[np.int64]]) -> Iterator[tuple[int, int]]:
    for replica, begins in enumerate(starts):
        for start in begins:
            yield replica, int(start)
