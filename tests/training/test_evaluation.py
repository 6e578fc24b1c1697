import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.units import Bohr

from bec_md.cli.options import in_terms_of_options
from bec_md.errors import BecMDWarning, DataError, UsageError
from bec_md.evaluation import check_index_order, evaluate_model
from bec_md.evaluation.doubts import label_doubts, other_level
from bec_md.network import load_model
from bec_md.structure.extxyz import read_frames, write_frames
from bec_md.training.config import Labels
from bec_md.training.labels import check_labels
from bec_md.training.validation import read_parity, write_parity

from .toy import toy_frames, toy_tensors, with_twins, write_toy

LABELS = Path(__file__).parents[2] / "examples" / "labels"
FIXED_KEYS = (
    *("rmse_e", "mae_e", "r2", "median_frame_rmse_e", "per_element", "antisymmetric_rmse_e"),
    *("sum_rule_residual_e", "n_tensors", "us_per_atom", "eps_inf_mae"),
)


@dataclass
class NoisyLaw:
    """The toy law with Gaussian errors of a stated size."""

    noise_e: float = 0.05
    name: str = "noisy law"
    calls: int = 0

    def predict_batch(self, frames):
        self.calls += 1
        f = frames[0]
        generator = np.random.default_rng(self.calls)
        exact = toy_tensors(f.numbers, f.positions_ang, f.cell_ang, f.total_charge)

        class Prediction:
            born_effective_charges = (exact + generator.normal(0, self.noise_e, exact.shape))[None]
            uncertainty_e = np.full((1, len(exact)), self.noise_e)
            eps_inf = 1.1 * np.eye(3)[None] * (1.5 + 60.0 / np.linalg.det(f.cell_ang))

        return Prediction()


def test_the_baseline_may_be_in_a_column_of_the_same_name_or_the_usual_one(tmp_path):
    usual, own = write_toy(tmp_path / "usual.xyz", 4), tmp_path / "own.xyz"
    own.write_text(usual.read_text().replace("born_effective_charges:R:9", "my_z:R:9"))
    found = [
        evaluate_model(NoisyLaw(), own, charges_key="my_z", training_data=[file]) for file in (own, usual)
    ]
    assert found[0].metrics["baselines"] == found[1].metrics["baselines"]


def test_zeros_in_place_of_eps_inf_are_no_label(tmp_path):
    frames = toy_frames(4)
    without = frames[3].with_labels(eps_inf=np.zeros((3, 3)))
    found = evaluate_model(NoisyLaw(), [*frames[:3], without]).metrics
    assert found["n_eps_inf"] == 3
    assert found["eps_inf_median_relative"] == pytest.approx(0.1, rel=1e-6)  # that of NoisyLaw


def test_an_error_of_the_model_has_its_structure():
    frames = with_twins(toy_frames(3), 1)
    with pytest.raises(DataError, match="structure 1: atoms 0 and 7 are 0"):
        evaluate_model("universal", frames)


def test_a_single_frame_and_frames_that_can_be_asked_for_once():
    frames = toy_frames(2)
    assert evaluate_model(NoisyLaw(), frames[0]).metrics["n_frames"] == 1
    with pytest.raises(UsageError, match="Atoms is no Frame"):
        evaluate_model(NoisyLaw(), [Atoms("NaCl", cell=np.eye(3))])
    model = load_model("universal")
    found = [model.predict_batch(given).born_effective_charges for given in (iter(frames[:1]), frames[:1])]
    np.testing.assert_array_equal(*found)


def test_known_errors_are_measured_and_all_fixed_keys_are_there(tmp_path):
    file = write_toy(tmp_path / "toy.xyz", 40)
    result = evaluate_model(NoisyLaw(), file, training_data=[file])
    stored = json.loads(json.dumps(result.to_json()))
    assert all(key in stored for key in FIXED_KEYS)
    # 2,880 Gaussian samples: 1.3 % standard error
    assert stored["rmse_e"] == pytest.approx(0.05, rel=0.06)
    assert stored["mae_e"] == pytest.approx(0.05 * np.sqrt(2 / np.pi), rel=0.06)
    assert stored["eps_inf_median_relative"] == pytest.approx(0.1, rel=1e-6)
    assert stored["calibration"]["scale"] == pytest.approx(1.0, rel=0.06)
    assert stored["baselines"]["element_mean"]["rmse_e"] > stored["rmse_e"]
    assert stored["n_tensors"] == 320
    assert stored["us_per_atom"] > 0
    assert stored["warnings"] == []
    assert set(stored["per_element"]) == {"F", "Li", "Mg", "O"}


def test_labels_in_the_other_index_order_raise_a_warning(tmp_path):
    frames = [
        f.with_labels(born_effective_charges=f.born_effective_charges.transpose(0, 2, 1))
        for f in toy_frames(20)
    ]
    assert "displacement-first" in evaluate_model(NoisyLaw(), frames).warnings[0]
    assert evaluate_model(NoisyLaw(), toy_frames(20)).warnings == ()


@pytest.mark.parametrize(
    ("model", "file"), [("water", "water"), ("li3po4", "li3po4"), ("perovskites", "t-zro2")]
)
def test_transposed_labels_are_told_from_other_faults(model, file):
    """Positions in bohr gain by an exchange, too, but next to nothing: the model fits neither order."""
    frames = read_frames(LABELS / f"{file}_test.xyz.xz")[:2]
    swapped = [
        f.with_labels(born_effective_charges=f.born_effective_charges.transpose(0, 2, 1)) for f in frames
    ]
    bohr = [replace(f, positions_ang=f.positions_ang / Bohr, cell_ang=f.cell_ang / Bohr) for f in frames]
    network = load_model(model)
    found = [evaluate_model(network, item) for item in (frames, swapped, bohr)]
    said = [any("displacement-first" in line for line in item.warnings) for item in found]
    assert said == [False, True, False]


def test_labels_that_are_none_are_not_compared_with():
    first, second = toy_frames(2)
    second = second.with_labels(eps_inf=np.full((3, 3), np.nan))
    assert evaluate_model(load_model("universal"), [first, second]).metrics["n_eps_inf"] == 1
    # a molecule without a cell has none, and took those of the others with it
    molecule = replace(first.with_labels(eps_inf=None), cell_ang=np.zeros((3, 3)), pbc=np.zeros(3, bool))
    assert evaluate_model(load_model("universal"), [first, molecule]).metrics["n_eps_inf"] == 1
    with pytest.raises(DataError, match="1 of 2 frames have no tensors"):
        evaluate_model(NoisyLaw(), [first, second.with_labels(born_effective_charges=None)])


def test_a_model_that_fits_neither_order_says_nothing_of_it():
    """Antisymmetric parts against those of the labels mean another order only where the rest is right."""
    labels = read_frames(LABELS / "zro2_test.xyz.xz")[0].born_effective_charges
    antisymmetric = (labels - labels.transpose(0, 2, 1)) / 2
    charges = np.trace(labels, axis1=1, axis2=2)[:, None, None] / 3 * np.eye(3)
    symmetric = labels - antisymmetric - charges
    for factor, transposed in ((1.0, True), (-1.0, False)):
        order = check_index_order(charges + factor * symmetric - antisymmetric / 2, labels)
        assert order.rmse_transposed_e < order.rmse_e
        assert order.antisymmetric_correlation == pytest.approx(-1.0)
        assert order.transposed == transposed


def test_labels_that_miss_the_sum_rule_are_named_by_the_limit_of_a_training():
    frames = toy_frames(3)
    labels = frames[1].born_effective_charges
    limit = 0.5 * np.sqrt(8) / 8  # e per atom, of 0.5 e/√N
    for excess, named in ((0.9 * limit, False), (1.1 * limit, True)):
        frames[1] = frames[1].with_labels(born_effective_charges=labels + excess * np.eye(3))
        result = evaluate_model(NoisyLaw(), frames)
        assert len(result.warnings) == named
        assert len(check_labels(frames, **Labels().model_dump())[0]) == 3 - named
        assert result.metrics["label_sum_rule_residual_e"] == pytest.approx(excess / 3)
    assert "the labels of 1 of 3 structures miss the sum rule" in result.warnings[0]
    assert "up to 0.55 e (structure 1, FLi;" in result.warnings[0]


def test_labels_of_another_level_that_the_model_knows_are_named():
    frames = [replace(frame, info={"level": "pbe"}) for frame in toy_frames(3)]
    frames[0] = replace(frames[0], info={})
    model = NoisyLaw()
    model.config, model.level = {"levels": ["pbesol", "pbe"]}, "pbesol"
    (said,) = evaluate_model(model, frames).warnings
    assert "labels of 2 of 3 structures are of the level of theory 'pbe'" in said
    assert "give --level 'pbe'" in in_terms_of_options(said)
    frames[2] = replace(frames[2], info={"level": "r2scan"})
    model.config = {"levels": ["pbesol", "pbe", "r2scan"]}
    for said, level in zip(evaluate_model(model, frames).warnings, ("pbe", "r2scan"), strict=True):
        assert f"labels of 1 of 3 structures are of the level of theory {level!r}" in said
    frames[2] = frames[1]
    model.level = "pbe"
    assert not evaluate_model(model, frames).warnings
    model.config = {"levels": ["pbe"]}  # what other programs call their levels is their affair
    assert not evaluate_model(
        model, [replace(frame, info={"level": "PBE VASP"}) for frame in frames]
    ).warnings


@pytest.mark.parametrize(("stated", "known"), [("PBE VASP", "pbe"), ("PBE+U VASP", "pbe-u"), ("PBE", "pbe")])
def test_levels_are_known_by_the_names_that_collect_gives_them(stated, known):
    frames = [replace(frame, info={"level": stated}) for frame in toy_frames(2)]
    model = NoisyLaw()
    model.config, model.level = {"levels": ["pbesol", "pbe", "pbe-u"]}, "pbesol"
    (said,) = evaluate_model(model, frames).warnings
    assert said.endswith(f"give `level={known!r}`")
    model.level = known
    assert not evaluate_model(model, frames).warnings
    model.config, model.level = {"levels": [known, f"{known}-abinit"]}, f"{known}-abinit"
    assert not evaluate_model(model, frames).warnings  # the same functional


def test_a_level_with_a_hubbard_u_is_another_one_than_its_functional():
    known = ["pbe", "pbe-u", "pbe-gamma-only", "rpbe", "rpbe-d3"]
    assert other_level("PBE VASP", "pbe-u", known) == "pbe"
    assert other_level("PBE+U VASP", "pbe", known) == "pbe-u"
    assert other_level("PBE VASP", "pbe-gamma-only", known) is None
    assert other_level("PBE+U VASP", "pbe-u-abinit", known) is None
    assert other_level("RPBE VASP", "rpbe-d3", known) is None


def test_eps_inf_below_that_of_the_vacuum_is_no_label():
    frames = toy_frames(3)
    frames[1] = frames[1].with_labels(eps_inf=-frames[1].eps_inf)
    found = evaluate_model(NoisyLaw(), frames)
    assert found.metrics["n_eps_inf"] == 2
    assert found.metrics["eps_inf_median_relative"] == pytest.approx(0.1, rel=1e-6)
    assert "ε∞ of 1 of 3 structures is below 1" in found.warnings[0]


def test_crystals_that_are_not_marked_as_periodic_are_named():
    frame = read_frames(LABELS / "zro2_test.xyz.xz")[0]
    alone = replace(frame, pbc=np.zeros(3, dtype=bool))
    assert not label_doubts([frame])
    (said,) = label_doubts([frame, alone])
    assert said.startswith(f"1 of 2 structures (frame {frame.index}, {frame.formula}): not periodic along a")
    assert not label_doubts([replace(alone, cell_ang=alone.cell_ang + 6.0 * np.eye(3))])  # a cluster


def test_limit_and_missing_eps_inf_labels():
    frames = toy_frames(6, eps=False)
    result = evaluate_model(NoisyLaw(), frames, limit=2)
    assert result.metrics["n_frames"] == 2
    assert "eps_inf_mae" not in result.metrics
    assert result.eps_inf_labels.shape == (0, 3, 3)


@pytest.mark.parametrize("limit", [0, -2])
def test_a_limit_that_leaves_nothing_is_refused(limit):
    with pytest.raises(UsageError, match=f"limit={limit}"):
        evaluate_model(NoisyLaw(), toy_frames(6), limit=limit)


def test_parity_arrays_survive_the_file(tmp_path):
    results = {"a.b": evaluate_model(NoisyLaw(), toy_frames(3))}
    write_parity(tmp_path / "parity.npz", results)
    arrays = read_parity(tmp_path / "parity.npz")["a.b"]
    np.testing.assert_array_equal(arrays["predicted"], results["a.b"].predicted)
    np.testing.assert_array_equal(arrays["labels"], results["a.b"].labels)
    assert arrays["eps_inf_labels"].shape == (3, 3, 3)


def test_frames_read_from_a_file_and_given_directly_agree(tmp_path):
    file = write_toy(tmp_path / "toy.xyz", 3)
    direct = evaluate_model(NoisyLaw(), read_frames(file))
    assert direct.metrics["rmse_e"] == evaluate_model(NoisyLaw(), file).metrics["rmse_e"]


def test_transposed_training_files_are_named():
    import torch

    from bec_md.training.dataset import build_dataset, join_datasets
    from bec_md.training.loop import TrainingData
    from bec_md.training.validation import index_order_warnings

    straight = toy_frames(4)
    swapped = [
        f.with_labels(born_effective_charges=f.born_effective_charges.transpose(0, 2, 1)) for f in straight
    ]
    parts = [build_dataset(frames, 3.0, level=0) for frames in (straight, swapped)]
    data = TrainingData(join_datasets(parts), (4, 4), (1.0, 1.0), {})

    class Law(torch.nn.Module):
        def forward(self, graph, *, members):
            exact = np.concatenate([f.born_effective_charges for f in straight])
            assert graph.n_atoms == len(exact)
            return {"charges": torch.from_numpy(exact)[:, None]}

    warnings = index_order_warnings(Law(), data, ["straight", "swapped"])
    assert len(warnings) == 1
    assert warnings[0].startswith("swapped: ")


def test_labels_of_a_teacher_are_no_structures_that_a_model_knows():
    from types import SimpleNamespace

    from bec_md.training.dataset import build_dataset, join_datasets
    from bec_md.training.loop import TrainingData
    from bec_md.training.validation import training_domain

    one_member = SimpleNamespace(charges_from=SimpleNamespace(members=1))
    parts = [build_dataset(toy_frames(count), 3.0, level=0) for count in (4, 12)]
    counts = [
        training_domain(one_member, data, {}, max_edges=10_000)["training_structures"]
        for data in (
            TrainingData(join_datasets(parts), (4, 12), (1.0, 1.0), {}, taught=frozenset({1})),
            TrainingData(parts[0], (4,), (1.0,), {}),
        )
    ]
    assert counts[0] == counts[1] != {}


@dataclass
class KnowsOxides(NoisyLaw):
    """A model that was trained on MgO only."""

    elements: tuple[int, ...] = (8, 12)


def test_structures_of_unknown_elements_are_left_out_and_named(tmp_path):
    frames = toy_frames(12)
    oxide = [{8, 12} >= {int(z) for z in frame.numbers} for frame in frames]
    assert 0 < sum(oxide) < 12
    write_frames(tmp_path / "toy.xyz", frames)
    with pytest.warns(
        BecMDWarning, match=rf"does not know Li in {12 - sum(oxide)} structure.*{12 - sum(oxide)} of 12"
    ):
        result = evaluate_model(KnowsOxides(), tmp_path / "toy.xyz")
    assert set(result.metrics["per_element"]) == {"Mg", "O"}
    assert result.metrics["n_frames"] == sum(oxide)
    with pytest.warns(BecMDWarning, match=rf"{12 - sum(oxide)} of 12"):  # of several files: numbers repeat
        again = evaluate_model(KnowsOxides(), [replace(frame, index=0) for frame in frames])
    assert again.metrics["n_frames"] == sum(oxide)
    with pytest.raises(DataError, match="does not know"):
        evaluate_model(
            KnowsOxides(), [frame for frame, known in zip(frames, oxide, strict=True) if not known]
        )
