"""Γ-point normal modes along a trajectory, and the vibrational density of states."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bec_md.lazy import on_first_use

__getattr__, __dir__, __all__ = on_first_use(
    __name__,
    {
        "files": "read_modes",
        "projection": "ModeVelocities mode_velocities",
        "reference": "ReferenceModes modes_from_force_constants",
        "resolved": "ModeSpectrum resolve_modes",
        "vdos": "VibrationalDos compute_vdos",
    },
)

if TYPE_CHECKING:
    from bec_md.modes.files import read_modes as read_modes
    from bec_md.modes.projection import ModeVelocities as ModeVelocities
    from bec_md.modes.projection import mode_velocities as mode_velocities
    from bec_md.modes.reference import ReferenceModes as ReferenceModes
    from bec_md.modes.reference import modes_from_force_constants as modes_from_force_constants
    from bec_md.modes.resolved import ModeSpectrum as ModeSpectrum
    from bec_md.modes.resolved import resolve_modes as resolve_modes
    from bec_md.modes.vdos import VibrationalDos as VibrationalDos
    from bec_md.modes.vdos import compute_vdos as compute_vdos
