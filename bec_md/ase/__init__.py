"""At home in ASE: Z* as a calculator, an electric field for any calculator, J recorded during dynamics."""

from bec_md.ase.calculator import BornCharges
from bec_md.ase.field import Field
from bec_md.ase.recorder import CurrentRecorder

__all__ = ["BornCharges", "CurrentRecorder", "Field"]


def __dir__() -> list[str]:
    return sorted(__all__)
