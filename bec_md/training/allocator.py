"""Keep freed memory in the process: large temporaries otherwise cost a page fault per 4 kB."""

from __future__ import annotations

import ctypes
import sys

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3


def keep_freed_memory(threshold_bytes: int = 2**31 - 1) -> bool:
    """Tell glibc not to map and unmap every large array; saves up to half of the CPU time of training.

    Returns
    -------
    applied
        False where the C library is not glibc: nothing is changed there.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    mallopt.argtypes = [ctypes.c_int, ctypes.c_int]
    mallopt.restype = ctypes.c_int
    kept = mallopt(_M_MMAP_THRESHOLD, min(threshold_bytes, 2**30))
    trimmed = mallopt(_M_TRIM_THRESHOLD, threshold_bytes)
    return bool(kept and trimmed)
