"""At home in TorchSim: J, polarization and Born effective charges as property calculators of its reporter."""

from bec_md.torchsim.properties import property_calculators

__all__ = ["property_calculators"]


def __dir__() -> list[str]:
    return sorted(__all__)
