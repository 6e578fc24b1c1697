"""Settings of the whole test suite."""

from __future__ import annotations

import os

# One thread: the tensors of the tests are tiny, and idle OpenMP threads would spin on shared machines.
os.environ.setdefault("OMP_NUM_THREADS", "1")
