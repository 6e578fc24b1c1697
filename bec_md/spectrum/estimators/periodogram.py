"""The un-broadened periodogram: every Fourier bin, no smoothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import Array, Complex
from bec_md.spectrum.estimators.blocks import SHORTEST_SHARE, CurrentBlocks
from bec_md.spectrum.response.symmetric_tensor import VOIGT
from bec_md.units import SPEED_OF_LIGHT_CM_FS

#: Longest stretch transformed at once: bounds the memory for series of any length.
LONGEST = 1 << 20
#: Fewest frequencies of which the highest ones tell how the spectrum ends.
SHORTEST_TAIL = 200
TAIL_PARTS = (0.45, 0.55), (0.72, 0.78), (0.83, 0.87), (0.95, 1.0)
#: First and last bins whose power with a taper is the lowest that is looked at: in short stretches the flanks
#: of bands reach into the second, and few runs have much noise in the first.
LOWEST_TAPERED = (2, 4), (2, 9)


@dataclass(frozen=True)
class Periodogram:
    r"""Mean periodogram of equally long stretches.

    Parameters
    ----------
    wavenumber_cm
        (F,) from 0 to the Nyquist wavenumber, step 1/(c·stretch).
    power
        (3, F) two-sided density of each axis, (e Å/fs)² fs.
    dipole
        (3, F) the same of M, the integral of J with the mean of each stretch removed, (e Å)² fs.
    cross
        (2, 3, F) real parts of the cross-spectra yz, xz, xy, of J and of M.
    stretches
        Number of stretches (of all replicas) that were averaged.
    length
        Samples per stretch.
    timestep_fs
        Time between samples.
    squared_correlation
        (3,) :math:`(2/T)\int Ĉ(τ)^2 dτ/Ĉ(0)^2` over lags up to half a stretch T, both signs, Ĉ unbiased;
        None if not asked for.
    tail
        (4, 3, 3) power in `TAIL_PARTS` of the range up to the Nyquist frequency, of stretches with a Hann
        taper: nothing of the bands leaks there. Empty of stretches too short to tell.
    lowest
        (2, 3, 3) the same of the bins `LOWEST_TAPERED`.
    """

    wavenumber_cm: Array
    power: Array
    dipole: Array
    cross: NDArray[np.float32]
    stretches: int
    length: int
    timestep_fs: float
    squared_correlation: Array | None = None
    tail: Array = field(default_factory=lambda: np.empty((0, 3, 3)))
    lowest: Array = field(default_factory=lambda: np.empty((0, 3, 3)))


def periodogram(
    blocks: CurrentBlocks,
    longest: int = LONGEST,
    part: tuple[float, float] = (0.0, 1.0),
    correlated: bool = False,
) -> Periodogram:
    """Average the periodograms of consecutive stretches, as long as replicas and memory allow.

    A replica much shorter than the longest one has no stretch: all would be as short as it is, and what M
    does slowly is in long ones alone.

    Parameters
    ----------
    blocks
        The current.
    longest
        Most samples of a stretch.
    part
        Share of each replica where it begins and where it ends.
    correlated
        Whether `squared_correlation` is wanted: it takes transforms of twice the length.
    """
    from scipy import fft

    pieces = [(round(part[0] * n), round(part[1] * n)) for n in blocks.lengths]
    lengths = [stop - start for start, stop in pieces]
    length = min(min(n for n in lengths if n >= SHORTEST_SHARE * max(lengths)), longest)
    length = 2 * (length // 2)
    padding = 2 if correlated else 1
    total, dipole = np.zeros((3, padding * length // 2 + 1)), np.zeros((3, length // 2 + 1))
    cross = np.zeros((2, 3, length // 2 + 1), dtype=np.float32)  # for errors alone
    told = length // 2 + 1 >= SHORTEST_TAIL
    tapered = np.zeros((told * (len(TAIL_PARTS) + len(LOWEST_TAPERED)), 3, 3))
    count = 0
    for replica, (first, last) in enumerate(pieces):
        for start in range(first, last - length + 1, length):
            current = _whole(blocks.read_total, replica, start, length)
            if blocks.has_polarization:
                position = _whole(blocks.read_polarization, replica, start, length) / blocks.timestep_fs
            else:
                position = np.cumsum(current, axis=1) - 0.5 * current
            position -= position.mean(axis=1, keepdims=True)
            for kind, (sums, data, size) in enumerate(
                ((total, current, padding * length), (dipole, position, length))
            ):
                kept, bands = [], []
                for axis, values in enumerate(data):
                    transform = fft.rfft(values, size, workers=2, overwrite_x=True)
                    sums[axis] += transform.real**2 + transform.imag**2
                    kept.append(transform[:: size // length].astype(np.complex64))
                    if sums is total and told:
                        bands.append(_tapered(transform[::padding]))
                for band, axes in enumerate(zip(*bands, strict=True)):
                    tapered[band] += np.einsum("af,bf->ab", axes, np.conj(axes)).real / len(axes[0])
                for pair, (a, b) in enumerate(VOIGT[3:]):
                    cross[kind, pair] += kept[a].real * kept[b].real + kept[a].imag * kept[b].imag
            count += 1
    step = blocks.timestep_fs
    wavenumber = np.arange(length // 2 + 1) / (length * step * SPEED_OF_LIGHT_CM_FS)
    scale = step / (length * count)
    squares = _squared_correlation(total, length) if correlated else None
    power = total[:, ::padding] * scale
    dipole *= scale * step**2
    cross[0] *= scale
    cross[1] *= scale * step**2
    tail, lowest = np.split(tapered * scale, [len(TAIL_PARTS)])
    return Periodogram(wavenumber, power, dipole, cross, count, length, step, squares, tail, lowest)


def _tapered(transform: Complex) -> list[Complex]:
    """Return a transform in parts of its range and at the lowest bins, as if it had a Hann taper."""
    size = len(transform)
    parts = [(int(low * size), int(high * size)) for low, high in TAIL_PARTS]
    parts += [(first - 1, last + 2) for first, last in LOWEST_TAPERED]
    bands = [transform[first:last] for first, last in parts]
    return [(0.5 * band[1:-1] - 0.25 * (band[2:] + band[:-2])) / 0.375**0.5 for band in bands]


def _squared_correlation(padded: Array, length: int) -> Array:
    """Return twice the mean of Ĉ²/Ĉ(0)² over the lags of half a stretch, from padded squares."""
    from scipy import fft

    found = np.empty(len(padded))
    lags = np.arange(length // 2 + 1)
    for axis, row in enumerate(padded):
        correlation = fft.irfft(row)[: len(lags)] / (1.0 - lags / length)
        square = correlation**2
        found[axis] = 2.0 * (2.0 * square.sum() - square[0]) / max(length * float(square[0]), 1e-300)
    return found


def _whole(read: Callable[[int, int, int], Array], replica: int, start: int, length: int) -> Array:
    """Return a stretch of three components, (3, length), read in blocks."""
    whole = np.empty((3, length))
    for begin in range(0, length, 65536):
        end = min(begin + 65536, length)
        whole[:, begin:end] = read(replica, start + begin, start + end)
    return whole


def decimate(x: Array, y: Array, max_points: int = 20000) -> tuple[Array, Array]:
    """Average neighboring bins so that at most `max_points` remain."""
    width = -(-len(x) // max_points)
    if width <= 1:
        return x, y
    n = len(x) // width * width
    return x[:n].reshape(-1, width).mean(axis=1), y[..., :n].reshape(*y.shape[:-1], -1, width).mean(axis=-1)
