from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from bec_md.errors import DataError
from bec_md.evaluation.metrics import element_mean_prediction
from bec_md.network.graph import Graph, build_graph, concatenate
from bec_md.training.config import parse_config
from bec_md.training.dataset import build_dataset, element_means, join_datasets, weight_by_element
from bec_md.training.sources import LoadedSource, load_sources, repeats_of

from .toy import toy_frames, with_twins, write_toy


@pytest.mark.parametrize("picked", [[0], [3, 1], [2, 2, 0], list(range(5))])
def test_a_batch_is_what_building_the_graphs_one_by_one_gives(picked):
    frames = toy_frames(5)
    frames[3] = replace(frames[3], total_charge=1.0).with_labels(eps_inf=None)
    batch = build_dataset(frames, 3.0, level=2, dtype=torch.float64).batch(picked)
    graphs = [build_graph([frames[i]], 3.0, dtype=torch.float64, level=2) for i in picked]
    expected = concatenate(graphs)
    for field in fields(Graph):
        assert torch.equal(getattr(batch.graph, field.name), getattr(expected, field.name)), field.name
    labels = np.concatenate([frames[i].born_effective_charges for i in picked])
    np.testing.assert_array_equal(batch.labels["charges"].values.numpy(), labels)
    assert batch.labels["eps_inf"].weight.tolist() == [0.0 if i == 3 else 1.0 for i in picked]


def test_joined_files_keep_their_levels_and_weights():
    a = build_dataset(toy_frames(2), 3.0, level=0, weight=2.0)
    b = build_dataset(toy_frames(3, seed=1), 3.0, level=1)
    joined = join_datasets([a, b])
    assert len(joined) == 5
    assert joined.level.tolist() == [0, 0, 1, 1, 1]
    batch = joined.batch([4, 0])
    assert torch.equal(batch.graph.vectors[: int(b.n_edges[2])], b.batch([2]).graph.vectors)
    assert batch.labels["charges"].weight.unique().tolist() == [1.0, 2.0]


@pytest.mark.parametrize(("per", "exponent"), [("atom", 1.0), ("root", 0.5), ("frame", 0.0)])
def test_a_frame_counts_by_a_power_of_its_size(per, exponent):
    dataset = build_dataset(toy_frames(1), 3.0, level=0, per=per, dtype=torch.float64)
    assert float(dataset.labels["charges"].weight.sum()) == pytest.approx(8.0**exponent)


def test_rare_elements_gain_weight_while_the_mean_stays_one():
    frames = toy_frames(9, kinds=((12, 8),) * 8 + ((3, 9),))
    dataset = build_dataset(frames, 3.0, level=0, dtype=torch.float64)
    weighted = weight_by_element(dataset, 0.5)
    factor = {int(z): float(weighted.labels["charges"].weight[dataset.numbers == z][0]) for z in (12, 3)}
    assert factor[3] / factor[12] == pytest.approx(np.sqrt(8.0))
    assert float(weighted.labels["charges"].weight.mean()) == pytest.approx(1.0)
    assert weight_by_element(dataset, 0.0) is dataset


def test_element_means_obey_the_sum_rule_as_a_prediction():
    frames = toy_frames(4)
    dataset = build_dataset(frames, 3.0, level=0, dtype=torch.float64)
    means = element_means(dataset)
    assert means[12] == pytest.approx(-means[8])  # neutral cells, equal numbers of both
    numbers, frame = dataset.numbers.numpy(), np.repeat(np.arange(4), 8)
    guess = element_mean_prediction(means, numbers, frame, np.array([0.0, 1.0, 0.0, 0.0]))
    np.testing.assert_allclose(guess[8:16].sum(axis=0), np.eye(3), atol=1e-12)  # rounding


def test_replayed_files_fill_their_fraction_of_the_atoms():
    base = {"data": [{"path": "new.xyz", "level": "a", "repeat": 2.0}], "schedule": {"epochs": 1}}
    old = [{"path": "old.xyz", "level": "b"}, {"path": "older.xyz", "level": "b", "repeat": 2.0}]
    config = parse_config(base | {"finetune": {"model": "m", "replay": old, "replay_fraction": 0.25}})
    sources = [
        LoadedSource(source, tuple(toy_frames(n)), (), "")
        for source, n in zip((*config.data, *config.finetune.replay), (6, 40, 10), strict=True)
    ]
    repeats = repeats_of(sources, config)
    assert repeats[0] == 2.0
    assert repeats[2] == pytest.approx(2 * repeats[1])
    replayed = 40 * repeats[1] + 10 * repeats[2]
    assert replayed / (replayed + 12) == pytest.approx(0.25)


def test_sources_are_checked_split_and_limited(tmp_path):
    write_toy(tmp_path / "a.xyz", 12)
    write_toy(tmp_path / "b.xyz", 3, seed=1)
    config = parse_config(
        {
            "data": [
                {"path": "a.xyz", "level": "x", "validation": 0.25, "split": "block", "limit": 5},
                {"path": "a.xyz", "level": "x", "validation": "b.xyz"},
                {"path": "a.xyz", "level": "x", "validation": 0.5, "split": "composition"},
            ],
            "schedule": {"epochs": 1},
        }
    )
    lines: list[str] = []
    loaded = load_sources(config, config_folder=tmp_path, data_root=None, report=lines.append)
    assert [(len(s.training), len(s.validation)) for s in loaded] == [(5, 3), (12, 3), (6, 6)]
    assert {f.formula for f in loaded[2].training}.isdisjoint({f.formula for f in loaded[2].validation})
    assert any("12 of 12 frames" in line for line in lines)


def test_an_atom_that_is_there_twice_is_found_in_its_frame():
    frames = with_twins(toy_frames(3), 1)
    with pytest.raises(DataError, match="toy, frame 1: atoms 0 and 7 are 0"):
        build_dataset(frames, 3.0, level=0, name="toy")
