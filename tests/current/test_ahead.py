"""A source that works beside the host gets its next batch before its last one is waited for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from bec_md.charges.source import ChargeBatch
from bec_md.current import compute_current
from bec_md.current.evaluate import evaluated_ahead
from bec_md.errors import DataError
from bec_md.pending import Pending
from bec_md.trajectory import open_trajectory

from .toy import WavyCharges, oscillators, trajectory


@dataclass(frozen=True)
class AheadCharges(WavyCharges):
    """The tensors of `WavyCharges`, evaluated when the result is asked for; writes down what happens."""

    log: list[str] = field(default_factory=list)

    def submit(self, frames: Any) -> Pending[ChargeBatch]:
        number = sum(word.startswith("submit") for word in self.log)
        self.log.append(f"submit {number}")

        def finish() -> ChargeBatch:
            self.log.append(f"wait {number}")
            return self.evaluate(frames)

        return Pending(finish)


@pytest.mark.parametrize("stride", [1, 4])
def test_submitting_ahead_gives_the_same_current(stride: int) -> None:
    frames, source = trajectory(oscillators(), 50, 2.0), AheadCharges()
    options: dict[str, Any] = {"timestep_fs": 2.0, "batch": 5, "charge_stride": stride}
    found = compute_current(frames, charges=source, **options)
    expected = compute_current(frames, charges=WavyCharges(), **options)
    assert np.array_equal(found.current, expected.current)
    assert source.log[:4] == ["submit 0", "submit 1", "wait 0", "submit 2"]
    assert source.log[-1] == f"wait {len(source.log) // 2 - 1}"


def test_what_was_submitted_before_damaged_frames_is_kept() -> None:
    def batches() -> Iterator[tuple[int, list[Any]]]:
        block = list(open_trajectory(trajectory(oscillators(), 2, 2.0), timestep_fs=2.0).frames())
        yield from ((number, block) for number in range(3))
        raise DataError("frame 3 is bad", "it is", "leave it out")

    kept: list[int] = []

    def collect() -> None:
        kept.extend(number for number, _ in evaluated_ahead(AheadCharges(), batches()))

    with pytest.raises(DataError, match="frame 3 is bad"):
        collect()
    assert kept == [0, 1, 2]
