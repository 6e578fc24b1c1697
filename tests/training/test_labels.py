from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bec_md.errors import DataError, UsageError
from bec_md.evaluation import check_index_order
from bec_md.evaluation.doubts import label_doubts
from bec_md.evaluation.metrics import sum_rule_excess
from bec_md.training.config import parse_config
from bec_md.training.labels import check_labels
from bec_md.training.sources import LoadedSource, misnamed_levels
from bec_md.training.splits import composition_rank, split_by_block, split_by_composition

from .toy import toy_frames

LIMITS = {"max_sum_rule_e": 0.3, "max_charge_e": 20.0, "max_eps_inf": 50.0}


def changed(frame, *, charges=1.0, lengths=1.0, excess_e=0.0, **stated):
    tensors = charges * frame.born_effective_charges + excess_e * np.eye(3) / frame.n_atoms
    return replace(
        frame.with_labels(born_effective_charges=tensors),
        positions_ang=lengths * frame.positions_ang,
        cell_ang=lengths * frame.cell_ang,
        **stated,
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, ""),
        ({"lengths": 1 / 0.529177}, "look like bohr, read as Å"),
        ({"charges": -1.0}, "mean charges F +0.80, Li -0.80, Mg -1.59 e: the tensors look like −Z"),
        ({"excess_e": 1.9}, "12 of 12 structures add up to +2 e"),  # k-points are not quite converged
        ({"excess_e": -1.0}, "add up to -1 e"),
        ({"excess_e": 1.0, "total_charge": 1.0}, ""),
        ({"excess_e": 0.6}, ""),
    ],
)
def test_labels_that_are_wrong_as_a_whole_are_named(change, said):
    found = label_doubts([changed(frame, **change) for frame in toy_frames(12)])
    assert len(found) == bool(said)
    assert said in "".join(found)


def test_a_cell_that_cannot_hold_its_atoms_is_one_of_many_or_none():
    """One misfit among many is left to the checks of each structure, molecules have cells without meaning."""
    frames = toy_frames(8)
    dense = [changed(frame, lengths=0.1) for frame in frames]
    assert label_doubts([*frames[:6], *dense[6:]]) == []
    assert label_doubts([replace(frame, pbc=np.zeros(3, bool)) for frame in dense]) == []
    with pytest.raises(DataError, match="8 atoms in a cell of"):
        label_doubts(dense)


def test_bad_frames_are_dropped_and_named():
    frames = toy_frames(4)
    # an excess of 1 e in a frame of 8 atoms is 0.35 e/√N
    shifted = frames[1].born_effective_charges + np.eye(3) / 8
    frames[1] = frames[1].with_labels(born_effective_charges=shifted)
    large = frames[2].born_effective_charges.copy()
    large[0, 0, 1], large[1, 0, 1] = large[0, 0, 1] + 25.0, large[1, 0, 1] - 25.0
    frames[2] = frames[2].with_labels(born_effective_charges=large)
    frames[3] = frames[3].with_labels(eps_inf=np.eye(3) * 80.0)
    kept, report = check_labels(frames, **LIMITS)
    assert [frame.index for frame in kept] == [0, 3]
    assert "frame 1 (FLi): |ΣZ − Q|/√N = 0.35 e" in report.dropped[0]
    assert "frame 2 (MgO): |Z| up to" in report.dropped[1]
    assert report.ignored_eps_inf == 1
    assert kept[1].eps_inf is None
    assert "dropped 2" in report.summary()


def test_the_sum_rule_is_imposed_for_the_stated_net_charge():
    frame = replace(toy_frames(1)[0], total_charge=0.5)
    kept, _ = check_labels([frame], **LIMITS)
    # float64 sum of eight tensors of order 1
    np.testing.assert_allclose(sum_rule_excess(kept[0].born_effective_charges, 0.5), 0.0, atol=1e-13)
    untouched, _ = check_labels([frame], **LIMITS, remove_residual=False)
    np.testing.assert_array_equal(untouched[0].born_effective_charges, frame.born_effective_charges)


def test_transposed_labels_are_noticed_through_the_antisymmetric_part():
    labels = np.concatenate([frame.born_effective_charges for frame in toy_frames(6)])
    noise = np.random.default_rng(0).normal(0, 0.02, labels.shape)
    assert not check_index_order(labels + noise, labels).transposed
    swapped = check_index_order(labels + noise, labels.transpose(0, 2, 1))
    assert swapped.transposed
    assert swapped.antisymmetric_correlation < -0.9


@pytest.mark.parametrize(("learned", "told"), [(0.4, False), (0.9, True)])
def test_a_network_that_has_hardly_begun_to_learn_does_not_tell_the_order(learned, told):
    """Random weights give the antisymmetric part either sign: here that of transposed labels."""
    x = np.random.default_rng(0).normal(0, 0.3, (50, 3, 3))
    symmetric, antisymmetric = (x + x.swapaxes(1, 2)) / 2, 0.4 * (x - x.swapaxes(1, 2)) / 2
    order = check_index_order(learned * (symmetric - antisymmetric), symmetric + antisymmetric)
    assert order.antisymmetric_correlation == pytest.approx(-1.0)
    assert order.rmse_transposed_e < 0.95 * order.rmse_e
    assert order.transposed == told


def test_symmetric_labels_never_look_transposed():
    labels = np.broadcast_to(np.eye(3), (5, 3, 3)) * 2.0
    check = check_index_order(labels + np.random.default_rng(1).normal(0, 0.1, (5, 3, 3)), labels)
    assert check.antisymmetric_correlation == 0.0
    assert not check.transposed


def test_compositions_are_held_back_whole_and_alike_in_every_file():
    formulas = [f"X{i}" for i in range(400)]
    training, held = split_by_composition(formulas + formulas, 0.1, seed=3)
    names = {(formulas + formulas)[i] for i in held}
    assert names.isdisjoint({(formulas + formulas)[i] for i in training})
    # 400 draws with probability 0.1: mean 40, standard deviation 6
    assert 20 < len(names) < 60
    _, other = split_by_composition(list(reversed(formulas))[:200], 0.1, seed=3)
    assert {list(reversed(formulas))[i] for i in other} == names & set(formulas[200:])
    assert 0.0 <= composition_rank("O2Si", 0) < 1.0


def test_at_least_one_composition_is_held_back_and_one_is_left():
    assert len(split_by_composition(["A", "B"], 1e-6, seed=0)[1]) == 1
    with pytest.raises(UsageError, match="split: block"):
        split_by_composition(["A", "A"], 0.2, seed=0)


def test_a_block_is_the_end_of_the_trajectory():
    assert split_by_block(10, 0.2) == (list(range(8)), [8, 9])
    with pytest.raises(UsageError, match="nothing is left"):
        split_by_block(1, 0.5)


def test_eps_inf_of_a_molecule_without_a_cell_is_ignored():
    """The network has none there: its loss would be no number."""
    first, second = toy_frames(2)
    alone = replace(first, cell_ang=np.zeros((3, 3)), pbc=np.zeros(3, bool))
    kept, report = check_labels([alone, second], **LIMITS)
    assert report.ignored_eps_inf == 1
    assert [frame.eps_inf is None for frame in kept] == [True, False]


@pytest.mark.parametrize(
    ("learned_as", "stated", "said"),
    [
        (
            "pbesol",
            "PBE VASP",
            "structures state the level of theory 'PBE VASP', and are learned as 'pbesol'",
        ),
        ("pbesol", "pbe", "name it 'pbe', or as one of your own"),
        ("pbesol", "PBEsol VASP", ""),
        ("pbesol-abinit", "PBEsol ABINIT", ""),
        ("mine", "PBE VASP", ""),
    ],
)
def test_levels_of_the_network_to_start_from_are_not_given_to_other_functionals(learned_as, stated, said):
    data = {"path": "a.xyz", "level": learned_as}
    start = {"schedule": {"epochs": 1}, "finetune": {"model": "universal"}}
    frames = tuple(replace(frame, info={"level": stated}) for frame in toy_frames(2))
    config = parse_config({"data": [data], **start})
    found = list(misnamed_levels([LoadedSource(config.data[0], frames, (), "")], config, Path()))
    assert len(found) == bool(said)
    assert said in "".join(found)
    alone = parse_config({"data": [data], "schedule": {"epochs": 1}})
    assert not list(misnamed_levels([LoadedSource(alone.data[0], frames, (), "")], alone, Path()))
