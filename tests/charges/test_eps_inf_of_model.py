"""ε∞ comes from a network that was trained on it, never from an untrained head."""

from __future__ import annotations

import numpy as np
import pytest

from bec_md.bench.structures import quartz, water
from bec_md.charges.model import ModelCharges
from bec_md.network import load_model
from tests.charges.test_model_domain import frame_of


def test_a_model_without_eps_inf_labels_takes_the_universal_one() -> None:
    frame = frame_of(water(24, seed=1))
    source = ModelCharges("water", threads=1).prepare(frame)
    batch = source.evaluate([frame, frame])
    expected = load_model("universal").predict_batch([frame]).eps_inf[0]
    assert batch.eps_inf is not None
    np.testing.assert_array_equal(batch.eps_inf, np.broadcast_to(expected, (2, 3, 3)))
    assert any("universal" in note for note in source.notes)
    # liquid water has n² = 1.77; the untrained head of this model says 6.5
    assert 1.4 < float(np.trace(batch.eps_inf[0])) / 3 < 2.6
    assert np.isnan(load_model("water").predict_batch([frame]).eps_inf).all()


@pytest.mark.parametrize("name", ["silica", "universal"])
def test_a_model_with_eps_inf_labels_uses_its_own(name: str) -> None:
    """α-quartz has n² = 2.36; DFT is 4 % above, and the universal model's own error is 5 %."""
    frame = frame_of(quartz(72, seed=1))
    source = ModelCharges(name, threads=1).prepare(frame)
    eps_inf = source.evaluate([frame]).eps_inf
    assert eps_inf is not None
    assert float(np.trace(eps_inf[0])) / 3 == pytest.approx(2.4, rel=0.11)
    assert source.notes == ()
