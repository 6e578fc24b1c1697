import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bec_md.training.batches import draw_frames, epoch_batches, pack, sequential_batches


@given(
    edges=st.lists(st.integers(1, 5000), min_size=1, max_size=80),
    limit=st.integers(100, 6000),
    seed=st.integers(0, 5),
)
@settings(max_examples=60, deadline=None)
def test_every_frame_is_in_one_batch_within_the_limit(edges, limit, seed):
    counts = np.array(edges)
    batches = pack(counts, limit, np.random.default_rng(seed))
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(edges)))
    assert max(counts[b].sum() for b in batches) <= max(limit, counts.max())


def test_batches_hold_nearly_the_same_number_of_edges():
    counts = np.random.default_rng(0).lognormal(6.0, 1.0, 2000).astype(int) + 1
    loads = np.array([counts[b].sum() for b in pack(counts, 20_000, np.random.default_rng(1))])
    # small frames fill the gaps that large ones leave
    assert loads.std() < 0.02 * loads.mean()
    assert loads.mean() > 0.93 * 20_000


def test_an_epoch_depends_on_seed_and_number_alone():
    counts = np.random.default_rng(0).integers(50, 500, 100)
    first = epoch_batches(counts, [100], [1.0], max_edges=3000, seed=1, epoch=4)
    again = epoch_batches(counts, [100], [1.0], max_edges=3000, seed=1, epoch=4)
    other = epoch_batches(counts, [100], [1.0], max_edges=3000, seed=1, epoch=5)
    assert [b.tolist() for b in first] == [b.tolist() for b in again]
    assert [b.tolist() for b in first] != [b.tolist() for b in other]


@pytest.mark.parametrize(("repeat", "expected"), [(1.0, 10), (2.5, 25), (0.3, 3), (0.01, 1)])
def test_files_are_repeated_or_thinned(repeat, expected):
    frames = draw_frames([5, 10], [1.0, repeat], np.random.default_rng(0))
    mine = frames[frames >= 5]
    assert len(mine) == expected
    assert np.bincount(mine - 5, minlength=10).max() <= np.ceil(repeat)
    assert frames[frames < 5].tolist() == [0, 1, 2, 3, 4]


def test_evaluation_keeps_the_order_of_the_file():
    batches = sequential_batches(np.array([40, 40, 40, 500, 10]), 100)
    assert [b.tolist() for b in batches] == [[0, 1], [2], [3], [4]]
