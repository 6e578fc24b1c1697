"""From a structure to a trajectory and its current: potential, equilibration, replicas."""

from bec_md.dynamics.calculators import make_calculator
from bec_md.dynamics.options import DynamicsOptions
from bec_md.dynamics.run import run_dynamics

__all__ = ["DynamicsOptions", "make_calculator", "run_dynamics"]


def __dir__() -> list[str]:
    return sorted(__all__)
