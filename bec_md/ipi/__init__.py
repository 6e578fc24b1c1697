"""At home in i-PI: Born effective charges and the dipole as extras of a driver without energy."""

from __future__ import annotations

from pathlib import Path

from bec_md.ipi.extras import BornExtras

#: The file that i-PI loads: ``<pes> custom </pes>`` with this ``<pes_path>``.
DRIVER = Path(__file__).with_name("driver.py")

__all__ = ["DRIVER", "BornExtras"]


def __dir__() -> list[str]:
    return sorted(__all__)
