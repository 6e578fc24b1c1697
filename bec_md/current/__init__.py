"""The polarization current J(t): computed from a trajectory, stored, or read from another code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bec_md.lazy import on_first_use

__getattr__, __dir__, __all__ = on_first_use(
    __name__,
    {
        "compute": "compute_current",
        "file": "load_current",
        "readers": "is_current_file open_current",
        "series": "CurrentSeries concatenate",
    },
)

if TYPE_CHECKING:
    from bec_md.current.compute import compute_current as compute_current
    from bec_md.current.file import load_current as load_current
    from bec_md.current.readers import is_current_file as is_current_file
    from bec_md.current.readers import open_current as open_current
    from bec_md.current.series import CurrentSeries as CurrentSeries
    from bec_md.current.series import concatenate as concatenate
