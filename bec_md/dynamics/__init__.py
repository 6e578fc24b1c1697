"""From a structure to a trajectory and its current: potential, equilibration, replicas."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bec_md.lazy import on_first_use

__getattr__, __dir__, __all__ = on_first_use(
    __name__,
    {"calculators": "make_calculator", "options": "DynamicsOptions", "run": "run_dynamics"},
)

if TYPE_CHECKING:
    from bec_md.dynamics.calculators import make_calculator as make_calculator
    from bec_md.dynamics.options import DynamicsOptions as DynamicsOptions
    from bec_md.dynamics.run import run_dynamics as run_dynamics
