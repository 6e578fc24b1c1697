r"""How long to run and how often to store, by inverting the formula of the error.

.. math:: \frac{\delta ε_2}{ε_2} = \frac{1}{\sqrt{n_{comp}\, n_{rep}\, T\, B}}
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from bec_md.errors import UsageError
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


def plan_run(
    resolution_cm: float = 10.0,
    relative_error: float = 0.1,
    highest_cm: float = 4000.0,
    *,
    replicas: int = 1,
    components: float = 3.0,
    md_timestep_fs: float | None = None,
    window: str = "gaussian",
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

    Returns
    -------
    RunPlan
        Times in ps and fs.

    Raises
    ------
    UsageError
        For values that are not positive.
    """
    given = (resolution_cm, relative_error, highest_cm, replicas, components)
    if not all(0.0 < value < math.inf for value in given):
        raise UsageError(
            f"resolution {resolution_cm}, error {relative_error}, highest mode {highest_cm}, "
            f"replicas {replicas}, components {components}",
            "all must be positive",
            "for instance resolution 10 cm⁻¹, error 0.1, highest mode 3700 cm⁻¹",
        )
    bandwidth = noise_bandwidth_cm(resolution_cm, window)
    needed = 1.0 / (relative_error**2 * components * replicas * bandwidth * SPEED_OF_LIGHT_CM_FS)
    # half of the Gaussian lag window carries more than 99.99 % of its weight
    shortest = 0.5 * window_span_fs(resolution_cm, window)
    length = max(needed, shortest)
    interval = 0.5 / (NYQUIST_MARGIN * highest_cm * SPEED_OF_LIGHT_CM_FS)
    shift = None
    if md_timestep_fs is not None:
        interval = max(int(interval / md_timestep_fs + 1e-9), 1) * md_timestep_fs
        shift = float(verlet_shown_wavenumber(highest_cm, md_timestep_fs)) - highest_cm
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
    )
