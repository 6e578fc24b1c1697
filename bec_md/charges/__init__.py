"""Where Born effective charges come from: a network, the trajectory, a reference, or fixed numbers."""

from __future__ import annotations

from bec_md.charges.closed_loop import ClosedLoop, closed_loop
from bec_md.charges.factory import charges_key, make_charge_source
from bec_md.charges.source import ChargeBatch, ChargeSource

__all__ = ["ChargeBatch", "ChargeSource", "ClosedLoop", "charges_key", "closed_loop", "make_charge_source"]


def __dir__() -> list[str]:
    return sorted(__all__)
