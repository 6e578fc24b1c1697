"""Currents and dipole moments from other codes, as `CurrentSeries`."""

from __future__ import annotations

from bec_md.current.readers.opening import is_current_file, open_current
from bec_md.current.readers.raw import SeriesOptions

__all__ = ["SeriesOptions", "is_current_file", "open_current"]
