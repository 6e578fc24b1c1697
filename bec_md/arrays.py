"""Types of arrays, once for all rooms."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Real numbers in double precision.
Array = NDArray[np.float64]
#: Complex numbers in double precision.
Complex = NDArray[np.complex128]
