"""A model of ε as the estimator would see it: smoothed like the spectrum, with the noise that it implies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import Array, Complex
from bec_md.spectrum.errors.fit_errors import functional_covariance
from bec_md.spectrum.estimators.estimate import kept_part
from bec_md.spectrum.response import oscillator
from bec_md.spectrum.spectrum import Spectrum
from bec_md.units import SPEED_OF_LIGHT_M_S

#: Points of the model per grid step: lines are narrower than the grid of a smoothed spectrum.
FINE = 8
#: Least variance of an average over directions, over that of one component. Control variates leave less, but
#: of heights alone: positions and widths are as uncertain as without them.
ONE_OF_THREE = 1.0 / 3.0
#: Height above the real axis, in grid steps, at which models are taken: lines of no width are wide there.
#: What a correlation function repeats after the period of the grid is exp(−2π 3) smaller than on the axis.
ABOVE = 3.0


class Smoother:
    """Turns a model susceptibility into σ on the spectrum's grid, as the estimator would see it.

    Parameters
    ----------
    spectrum
        Whose grid, lag window and length are used.
    max_cm
        How far the grid is used, and two resolutions more; to its end by default.
    """

    def __init__(self, spectrum: Spectrum, max_cm: float | None = None) -> None:
        nu = spectrum.wavenumber_cm
        self.step_cm = float(nu[1] - nu[0])
        self.resolution_cm = float(spectrum.parameters["resolution_cm"])
        if max_cm is not None:
            nu = nu[nu <= max_cm + 2.0 * self.resolution_cm]
        count = 4 * len(nu)
        # four times the range that is used: the tail of the model must have decayed
        self.grid_cm = (np.arange(count + 1) + 1j * ABOVE) * self.step_cm
        self.n_out = len(nu)
        self.window = spectrum.lag_window
        self.window_step_fs = float(spectrum.parameters["timestep_fs"])
        bandwidth = float(spectrum.parameters["equivalent_noise_bandwidth_cm"])
        self.points_per_bandwidth = max(bandwidth / self.step_cm, 1.0)
        runs = int(spectrum.parameters.get("n_replicas", 1))
        self.of_lines = self.window
        if spectrum.parameters.get("estimator") == "lag":  # the biased correlation broadens lines by the run
            mean = int(spectrum.parameters["n_frames"]) // runs  # all that older files say
            lengths = spectrum.parameters.get("run_frames") or [mean] * runs
            self.of_lines = self.window * kept_part(len(self.window) - 1, lengths)
        per_step = SPEED_OF_LIGHT_M_S * 1e-13 * self.window_step_fs  # cycles per step and cm⁻¹
        decay = 2.0 * np.pi * ABOVE * self.step_cm * per_step
        self.of_lines = self.of_lines * np.exp(decay * np.arange(len(self.window)))
        self.least_share = 0.0 if spectrum.plain_n_alpha is None else ONE_OF_THREE
        self.steps = 1000.0 * float(spectrum.parameters["total_time_ps"]) / self.window_step_fs
        self.size = round(1.0 / (self.step_cm * per_step))
        self.relative_variance = 1.0 / (self.steps * bandwidth * per_step)
        # a run resolves no finer line, and `fine_grid_cm` shows none
        self.least_width_cm = max(runs / (np.pi * self.steps * per_step), self.step_cm / FINE)

    def __call__(self, chi: Complex) -> Complex:
        """Return σ (..., F) on the spectrum's grid from susceptibilities on `grid_cm`."""
        sigma = oscillator.sigma_from_susceptibility(self.grid_cm, chi).real
        smooth = oscillator.broaden_conductivity(sigma, self.step_cm, self.of_lines, self.window_step_fs)
        return smooth[..., 1 : self.n_out + 1]

    def fine_grid_cm(self) -> Array:
        """Wavenumbers at which `density` wants the model, FINE per point of the spectrum."""
        points = (np.arange(FINE * self.n_out) + 0.5) / FINE + 0.5
        return np.asarray(points * self.step_cm)

    def resolved(self, bands: Array) -> Array:
        """Bands (B, ≥ 2) of a model whose second number is a width, none narrower than the run resolves."""
        return np.column_stack([bands[:, 0], np.maximum(bands[:, 1], self.least_width_cm), bands[:, 2:]])

    def density(self, sharp: Array, measured: Array, error: Array) -> Array:
        """Variance density of the periodogram behind a spectrum, from the model without smoothing.

        Parameters
        ----------
        sharp
            Model of Re σ (or nα) on `fine_grid_cm`: narrow lines concentrate the noise where they are.
        measured, error
            The smoothed spectrum (F,) and its standard error, which knows how many components are averaged.
        """
        square, line = ((sharp**n).reshape(-1, FINE).mean(axis=1) for n in (2, 1))
        floor = 1e-3 * float(np.max(measured))
        # narrow lines are in both errors: what is left is how many components are averaged
        alone = self.error(square) / np.maximum(self._folded(line, self.window), floor)
        share = (error / np.maximum(measured, floor) / np.maximum(alone, 1e-12)) ** 2
        return np.asarray(np.clip(share, self.least_share, 1.0) * square)

    def error(self, density: Array) -> Array:
        """Standard error (F,) of the smoothed estimate from the variance density of its periodogram."""
        from scipy import fft

        # the noise is smoothed by the square of the window's kernel: the window convolved with itself
        size = fft.next_fast_len(4 * len(self.window), real=True)
        even = np.zeros(size)
        even[: len(self.window)] = self.window
        even[size - len(self.window) + 1 :] = self.window[:0:-1]
        square = fft.irfft(fft.rfft(even).real ** 2, size)[: 2 * len(self.window)]
        return np.asarray(np.sqrt(self._folded(density, square / square[0]) * self.relative_variance))

    def _folded(self, values: Array, window: Array) -> Array:
        """Values (F,) on the grid of the spectrum, not negative, folded with the kernel of a lag window."""
        padded = np.zeros(len(self.grid_cm))
        padded[1 : self.n_out + 1] = values
        smooth = oscillator.broaden_conductivity(padded, self.step_cm, window, self.window_step_fs).real
        return np.clip(smooth[1 : self.n_out + 1], 0.0, None)

    def covariance(
        self, real_gain: Array, imag_gain: Array, density: Array, inside: NDArray[np.bool_]
    ) -> Array:
        """Covariance of parameters whose response to the noise at the points `inside` is given.

        `density` is that of `density`, on the whole grid.
        """
        full = np.zeros((2, len(real_gain), self.n_out))
        full[0][:, inside], full[1][:, inside] = real_gain, imag_gain
        return functional_covariance(full[0], full[1], density, self.window, self.steps, self.size)
