"""Γ-point normal modes along a trajectory, and the vibrational density of states."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

_PUBLIC = {
    "ModeSpectrum": "bec_md.modes.resolved",
    "ModeVelocities": "bec_md.modes.projection",
    "ReferenceModes": "bec_md.modes.reference",
    "VibrationalDos": "bec_md.modes.vdos",
    "compute_vdos": "bec_md.modes.vdos",
    "mode_velocities": "bec_md.modes.projection",
    "modes_from_force_constants": "bec_md.modes.reference",
    "read_modes": "bec_md.modes.files",
    "resolve_modes": "bec_md.modes.resolved",
}

__all__ = [
    "ModeSpectrum",
    "ModeVelocities",
    "ReferenceModes",
    "VibrationalDos",
    "compute_vdos",
    "mode_velocities",
    "modes_from_force_constants",
    "read_modes",
    "resolve_modes",
]

if TYPE_CHECKING:
    from bec_md.modes.files import read_modes
    from bec_md.modes.projection import ModeVelocities, mode_velocities
    from bec_md.modes.reference import ReferenceModes, modes_from_force_constants
    from bec_md.modes.resolved import ModeSpectrum, resolve_modes
    from bec_md.modes.vdos import VibrationalDos, compute_vdos


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'bec_md.modes' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
