"""How fast the network is: beside an edge-wise network, its own reference and what the machine can do."""

from __future__ import annotations
