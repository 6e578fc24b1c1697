"""How fast the network is on this machine, compiled and by its reference in PyTorch."""

from __future__ import annotations
