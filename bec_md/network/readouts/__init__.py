"""Properties that a network is read out for, one module each; a further one is a class and a row here."""

from __future__ import annotations

from bec_md.network.config import NetworkConfig, ReadoutConfig
from bec_md.network.readouts.base import Readout
from bec_md.network.readouts.charges import Charges
from bec_md.network.readouts.dipole import Dipole
from bec_md.network.readouts.polarizability import Polarizability

__all__ = ["READOUTS", "Charges", "Dipole", "Polarizability", "Readout", "make_readout"]

READOUTS: dict[str, type[Readout]] = {item.name: item for item in (Charges, Dipole, Polarizability)}


def make_readout(readout: ReadoutConfig, network: NetworkConfig) -> Readout:
    """Read-out of a configuration, with random weights."""
    return READOUTS[readout.name](readout, network)
