r"""How long to run and how often to store, by inverting the formula of the error.

.. math:: \frac{\delta ε_2}{ε_2} = \frac{1}{\sqrt{n_{comp}\, n_{rep}\, T\, B}}
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from bec_md.errors import UsageError
from bec_md.spectrum.analysis.pieces import Route, routes
from bec_md.spectrum.errors.uncertainty import relative_standard_error
from bec_md.spectrum.estimators.corrections import verlet_shown_wavenumber
from bec_md.spectrum.estimators.lag_window import noise_bandwidth_cm, window_span_fs
from bec_md.units import SPEED_OF_LIGHT_CM_FS

#: The Nyquist wavenumber should exceed the highest mode by this factor.
NYQUIST_MARGIN = 1.2


@dataclass(frozen=True)
class RunPlan:
    """What a run must look like.

    Parameters
    ----------
    run_time_ps
        Length of each replica, ps.
    store_every_fs
        Longest time between stored frames.
    n_frames
        Frames per replica at that interval.
    resolution_cm, bandwidth_cm
        Full width at half maximum of the kernel, and equivalent noise bandwidth, cm⁻¹.
    relative_error
        Standard error per point.
    replicas, components
        Averaged runs and equivalent Cartesian components.
    shortest_ps
        A replica shorter than this cannot resolve `resolution_cm`, however many replicas there are.
    verlet_shift_cm
        Blue shift of the highest mode by the integration time step, if that was given.
    routes
        Ways to the height of a narrow line with the wanted error, the cheapest first; empty without the time
        in which modes exchange energy.
    """

    run_time_ps: float
    store_every_fs: float
    n_frames: int
    resolution_cm: float
    bandwidth_cm: float
    relative_error: float
    replicas: int
    components: float
    shortest_ps: float
    verlet_shift_cm: float | None
    routes: tuple[Route, ...] = ()


def plan_run(
    resolution_cm: float = 10.0,
    relative_error: float = 0.1,
    highest_cm: float = 4000.0,
    *,
    replicas: int = 1,
    components: float = 3.0,
    md_timestep_fs: float | None = None,
    window: str = "gaussian",
    exchange_ps: float | None = None,
    equilibration_ps: float = 2.0,
) -> RunPlan:
    """Length of run and storage interval for a resolution and an error.

    Parameters
    ----------
    resolution_cm
        Full width at half maximum of the kernel, cm⁻¹.
    relative_error
        Wanted standard error of a point over its value.
    highest_cm
        Highest mode of the system, cm⁻¹ (O–H 3700, oxides 1200).
    replicas
        Independent runs.
    components
        3 for a liquid, glass or cubic crystal, 1 or 2 for the axes of an anisotropic crystal.
    md_timestep_fs
        Integration time step, to state the Verlet shift and store on a multiple of it.
    window
        Lag window.
    exchange_ps
        Time in which the modes of a crystal exchange energy, to compare one run, pieces of it with new
        velocities, and replicas (`pieces`).
    equilibration_ps
        Dynamics before the first sample of a run, and of each replica.

    Returns
    -------
    RunPlan
        Times in ps and fs.

    Raises
    ------
    UsageError
        For values that are not positive, an error of 100 % and more, more than three components, or a
        time step that is too long.
    """
    _refuse_percent(relative_error)
    _require_positive(
        {
            "resolution": resolution_cm,
            "error": relative_error,
            "highest mode": highest_cm,
            "replicas": replicas,
            "components": components,
            "integration step": 1.0 if md_timestep_fs is None else md_timestep_fs,
            "exchange": 1.0 if exchange_ps is None else exchange_ps,
            "equilibration": equilibration_ps or 1.0,
        }
    )
    _refuse_elements(components)
    _refuse_unstable(highest_cm, md_timestep_fs or 0.0)
    bandwidth = noise_bandwidth_cm(resolution_cm, window)
    needed = 1.0 / (relative_error**2 * components * replicas * bandwidth * SPEED_OF_LIGHT_CM_FS)
    # half of the Gaussian lag window carries more than 99.99 % of its weight
    shortest = 0.5 * window_span_fs(resolution_cm, window)
    length = max(needed, shortest)
    interval, shift = _storage(highest_cm, md_timestep_fs)
    return RunPlan(
        run_time_ps=length / 1000.0,
        store_every_fs=interval,
        n_frames=int(length / interval) + 1,
        resolution_cm=resolution_cm,
        bandwidth_cm=bandwidth,
        relative_error=relative_standard_error(
            bandwidth * SPEED_OF_LIGHT_CM_FS, length, components, replicas
        ),
        replicas=replicas,
        components=components,
        shortest_ps=shortest / 1000.0,
        verlet_shift_cm=shift,
        routes=()
        if exchange_ps is None
        else routes(
            relative_error,
            exchange_ps,
            equilibration_ps,
            shortest_ps=shortest / 1000.0,
            bandwidth_per_ps=1000.0 * bandwidth * SPEED_OF_LIGHT_CM_FS,
            components=components,
        ),
    )


def _storage(highest_cm: float, md_timestep_fs: float | None) -> tuple[float, float | None]:
    """Interval between stored frames, fs, and the Verlet shift of the highest mode, cm⁻¹."""
    interval = 0.5 / (NYQUIST_MARGIN * highest_cm * SPEED_OF_LIGHT_CM_FS)
    if md_timestep_fs is None:
        return interval, None
    steps = max(int(interval / md_timestep_fs + 1e-9), 1)
    return steps * md_timestep_fs, float(verlet_shown_wavenumber(highest_cm, md_timestep_fs)) - highest_cm


def _refuse_percent(relative_error: float) -> None:
    if relative_error >= 1.0:
        raise UsageError(
            f"error {relative_error:g} is {100 * relative_error:g} % of a point",
            "the error is relative, as a fraction: noise as large as the spectrum shows no spectrum",
            f"give {relative_error / 100:g} for {relative_error:g} %",
        )


def _refuse_elements(components: float) -> None:
    if components > 3.0:
        raise UsageError(
            f"components {components:g}",
            "no average is over more than the three equal axes of a liquid or a cubic crystal",
            "give 3, or 1 or 2 for the equal axes of a crystal",
        )


def _refuse_unstable(highest_cm: float, md_timestep_fs: float) -> None:
    longest = 1.0 / (math.pi * highest_cm * SPEED_OF_LIGHT_CM_FS)
    if md_timestep_fs >= longest:
        raise UsageError(
            f"integration step {md_timestep_fs:g} fs with a mode at {highest_cm:g} cm⁻¹",
            f"Verlet integration of it explodes from {longest:.3g} fs on",
            f"integrate with {longest / 6:.2g} fs or less, or state the highest mode of this system",
        )


def _require_positive(given: dict[str, float]) -> None:
    wrong = {name: value for name, value in given.items() if not 0.0 < value < math.inf}
    if wrong:
        raise UsageError(
            ", ".join(f"{name} {value:g}" for name, value in wrong.items()),
            "it must be positive",
            "for instance resolution 10 cm⁻¹, error 0.1, highest mode 3700 cm⁻¹",
        )
