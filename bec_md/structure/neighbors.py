"""Neighbor lists."""

from __future__ import annotations

import sys
from functools import cache
from types import ModuleType
from typing import Any, cast


@cache
def neighbor_list() -> Any:
    """Return ``vesin.NeighborList``, without the PyTorch that vesin imports to take its tensors, too.

    That import takes seconds, and our positions are arrays. The modules are forgotten again: whoever imports
    vesin after us has all of it.
    """
    apart = not {"torch", "vesin"} & sys.modules.keys()
    if apart:
        sys.modules["torch"] = cast(ModuleType, None)  # so that its import fails
    try:
        from vesin import NeighborList
    finally:
        if apart:
            for name in [name for name in sys.modules if name.partition(".")[0] in ("torch", "vesin")]:
                del sys.modules[name]
    return NeighborList
