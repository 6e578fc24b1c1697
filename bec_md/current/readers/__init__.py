"""Currents and dipole moments from other codes, as `CurrentSeries`."""

from __future__ import annotations

from bec_md.current.options import SeriesOptions
from bec_md.current.readers.opening import is_current_file, open_current

__all__ = ["SeriesOptions", "is_current_file", "open_current"]
