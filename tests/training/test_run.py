from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from bec_md.atomic import only_writer
from bec_md.errors import BecMDError, DataError, UsageError
from bec_md.evaluation import evaluate_model
from bec_md.network import load_model
from bec_md.network.model_file import load_network, read_header, save_model
from bec_md.network.second_opinion import rms_difference
from bec_md.structure.extxyz import read_frames, write_frames
from bec_md.training import train
from bec_md.training.ancestors import learned_before
from bec_md.training.config import parse_config
from bec_md.training.cross_validation import CrossValidation, cross_validate
from bec_md.training.pretrained import extend_levels, make_network_config
from bec_md.training.publish import publish
from bec_md.training.publish_mean import publish_mean
from bec_md.training.sources import load_sources
from bec_md.training.splits import split_by_block, split_by_composition
from bec_md.training.validation import read_parity

from .toy import toy_frames, write_toy

NETWORK = {"channels": 4, "radial_width": 4, "scalar_width": 4, "layers": 1, "cutoff_ang": 3.0}
ONE = [{"name": "charges"}, {"name": "polarizability"}]
NETWORK |= {"readouts": [{"name": "charges", "members": 2}, {"name": "polarizability"}]}


def write_config(folder, **change):
    data = [{"path": "toy.xyz", "level": "toy", "validation": 0.2, "split": "block"}]
    content = {"data": data, "network": NETWORK, "schedule": {"epochs": 2}, "name": "tiny", "seed": 4}
    file = folder / "tiny.yaml"
    file.write_text(yaml.safe_dump(content | change))
    return file


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    write_toy(folder / "toy.xyz", 10)
    card = {"licence": "CC0", "citation": "none"}
    lines: list[str] = []
    result = train(write_config(folder, card=card), output=folder / "run", report=lines.append)
    return folder, result, lines


def test_a_run_leaves_a_model_that_loads_and_says_where_it_comes_from(trained):
    folder, result, lines = trained
    card = read_header(result.model)["card"]
    assert card["name"] == "tiny"
    assert card["licence"] == "CC0"
    assert card["training"]["data"][0]["training_frames"] == 8
    assert len(card["training"]["data"][0]["sha256"]) == 64
    assert card["validation"]["toy"]["rmse_e"] > 0
    assert card["uncertainty_scale"] > 0
    assert card["default_level"] == "toy"
    # two frames are no test, and the card says so
    assert card["stated_error_data"].startswith("2 held-back frames, which also chose the weights; too few")
    assert str(folder) not in str(card)  # no path of this machine
    assert any("element mean" in line for line in lines)
    assert not any("learned from" in line for line in lines)
    assert [path.name for path in result.figures] == ["loss.png", "errors_toy.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in result.figures)


def test_the_shipped_file_has_the_stated_error(trained):
    folder, result, _ = trained
    stated = read_header(result.model)["card"]["validation"]["toy"]["rmse_e"]
    model = load_model(result.model, engine="torch")
    found = evaluate_model(model, read_frames(folder / "toy.xyz")[8:])
    # float32 network on both sides; only the batching differs
    assert found.metrics["rmse_e"] == pytest.approx(stated, rel=1e-4)
    parity = read_parity(result.folder / "parity.npz")["toy"]
    assert parity["predicted"].shape == (16, 3, 3)
    np.testing.assert_allclose(parity["predicted"], found.predicted, atol=1e-5)


def test_the_log_tells_errors_of_training_from_those_of_a_file_called_train(trained, tmp_path):
    write_toy(tmp_path / "train.xyz", 10)
    data = [{"path": "train.xyz", "level": "toy", "validation": 0.2, "split": "block"}]
    result = train(write_config(tmp_path, data=data), output=tmp_path / "run", report=lambda line: None)
    for row, same in zip(result.history, trained[1].history, strict=True):  # but for the name of the file
        assert row["train_rmse_e"] == same["train_rmse_e"]
        assert row["train__rmse_e"] == same["toy_rmse_e"]


def test_two_trainings_do_not_share_a_folder(tmp_path):
    write_toy(tmp_path / "toy.xyz", 10)
    lock = tmp_path / "run" / "train.lock"
    lock.parent.mkdir()
    with only_writer(lock, "the other"), pytest.raises(UsageError, match="another process is writing"):
        train(write_config(tmp_path), output=tmp_path / "run", report=lambda line: None)
    assert not list(lock.parent.iterdir())
    lock.touch()  # of a killed one
    with only_writer(lock, "the next"):
        assert lock.exists()
    assert not lock.exists()


@pytest.mark.parametrize("place", ["one file", "another file", "a validation file"])
def test_held_back_copies_of_training_frames_are_named(tmp_path, place):
    """The error of a frame that is learned from tells nothing of unseen ones: the log and the card say so."""
    frames = toy_frames(10)
    moved = [replace(frame, positions_ang=frame.positions_ang + 1e-5) for frame in frames]
    write_frames(tmp_path / "toy.xyz", frames[:8] + moved[1:3] if place == "one file" else frames)
    write_frames(tmp_path / "more.xyz", [moved[8], *toy_frames(2, seed=1), moved[9]])
    data = {"path": "toy.xyz", "level": "toy", "validation": 0.2, "split": "block"}
    more = {"path": "more.xyz", "level": "toy"}
    sources = {
        "one file": [data],
        "another file": [data, more],
        "a validation file": [data | {"validation": "more.xyz"}],
    }
    config = write_config(tmp_path, data=sources[place], schedule={"epochs": 1})
    lines: list[str] = []
    model = train(config, output=tmp_path / "run", report=lines.append).model
    size, first = {
        "one file": (2, "frame 8 is frame 1 of toy"),
        "another file": (2, "frame 8 is frame 0 of more"),
        "a validation file": (4, "frame 0 is frame 8 of toy"),
    }[place]
    (said,) = [line for line in lines if "learned from as well" in line]
    assert said.startswith(
        f"warning: toy: 2 of {size} held-back structures are learned from as well ({first})"
    )
    assert "; 2 of them also learned from" in read_header(model)["card"]["stated_error_data"]


def test_an_existing_run_is_not_overwritten_and_resume_returns_at_once(trained):
    folder, result, _ = trained
    config = folder / "tiny.yaml"
    with pytest.raises(UsageError, match="already holds a run"):
        train(config, output=result.folder)
    again = train(config, output=result.folder, resume=True, report=lambda line: None)
    assert again.epochs == result.epochs
    assert again.history == result.history


def test_the_seed_decides_the_result(trained, tmp_path):
    folder, result, _ = trained
    same = train(folder / "tiny.yaml", output=tmp_path / "same", report=lambda line: None)
    a, b = load_network(result.model).state_dict(), load_network(same.model).state_dict()
    assert all(torch.equal(a[name], b[name]) for name in a)
    other = parse_config(yaml.safe_load((folder / "tiny.yaml").read_text()) | {"seed": 5})
    third = train(other, data_root=folder, output=tmp_path / "other", report=lambda line: None)
    assert not torch.equal(load_network(third.model).state_dict()["element"], a["element"])


def test_fine_tuning_starts_from_the_model_and_learns_a_new_level(trained, tmp_path):
    folder, result, _ = trained
    write_toy(tmp_path / "new.xyz", 4, seed=7)
    config = {
        "data": [{"path": "new.xyz", "level": "other"}],
        "finetune": {
            "model": str(result.model),
            "freeze": ["layers.*"],
            "replay": [{"path": str(folder / "toy.xyz"), "level": "toy"}],
        },
        "schedule": {"epochs": 1},
        "optimizer": {"learning_rate": 1e-5},
    }
    file = tmp_path / "fine.yaml"
    file.write_text(yaml.safe_dump(config))
    tuned_file = train(file, output=tmp_path / "run", report=lambda line: None).model
    tuned = load_network(tuned_file)
    assert load_model(tuned_file, engine="torch").level == "other"  # that of the new labels
    start = load_network(result.model)
    assert tuned.config.levels == ("toy", "other")
    assert torch.equal(tuned.layers[0].hidden.weight, start.layers[0].hidden.weight)  # frozen
    before, after = start.charges_from.reference_charge, tuned.charges_from.reference_charge
    moved = (after - before).detach().abs().max()
    assert 0 < float(moved) < 1e-3  # a few steps of 1e-5


def test_fine_tuning_refuses_elements_and_shapes_that_do_not_fit(trained, tmp_path):
    _, result, _ = trained
    write_toy(tmp_path / "si.xyz", 2, kinds=((14, 8),))
    base = {"data": [{"path": "si.xyz", "level": "toy"}], "schedule": {"epochs": 1}}
    for change, words in (
        ({}, r"atomic numbers \[14\]"),
        ({"network": {"channels": 8}}, "section 'network'"),
    ):
        config = parse_config(base | {"finetune": {"model": str(result.model)}} | change)
        with pytest.raises(UsageError, match=words):
            train(config, data_root=tmp_path, output=tmp_path / "run", report=lambda line: None)


def test_a_new_level_starts_as_a_copy_of_the_named_one(trained):
    network = load_network(trained[1].model)
    with torch.no_grad():
        network.level.normal_()
    extended = extend_levels(network, ["toy", "b"], like="toy")
    assert torch.equal(extended.level[1], network.level[0])
    assert torch.equal(extended.level[0], network.level[0])
    assert extend_levels(network, ["toy"]) is network
    for levels in (["c"], ["toy"]):  # a wrong name is one where no level is new, too
        with pytest.raises(UsageError, match="level_like"):
            extend_levels(network, levels, like="absent")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"chanels": 8}, "did you mean 'channels'?"),
        ({"channels": 1}, "channels"),
        ({"elements": [8]}, "lacks elements"),
        ({"levels": ["x"]}, "lacks elements"),
    ],
)
def test_network_section_is_checked(given, words):
    with pytest.raises(UsageError) as caught:
        make_network_config(given, elements=(8, 12), levels=("toy",))
    assert words in caught.value.what


def test_cross_validation_holds_every_frame_back_once(trained, tmp_path, monkeypatch):
    folder, _, _ = trained
    from typer.testing import CliRunner

    from bec_md.cli.app import app

    monkeypatch.chdir(tmp_path)
    command = ["train", str(folder / "tiny.yaml"), "-o", "run", "--cross-validate", "3", "-q"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    card = read_header("run/model.safetensors")["card"]
    found = card["cross_validation"]
    assert sum(found["n_tensors"]) == 80  # 10 frames of 8 atoms
    assert len(found["rmse_e"]) == 3
    pooled = np.average(np.square(found["rmse_e"]), weights=found["n_tensors"]) ** 0.5
    assert card["stated_error_e"] == pytest.approx(pooled)
    assert card["stated_error_data"].startswith("3-fold cross-validation, 80 tensors")
    refused = CliRunner().invoke(app, ["train", str(folder / "tiny.yaml"), "--cross-validate", "1"])
    assert refused.exit_code == 2


def test_cross_validation_states_the_error_of_its_own_data_alone(tmp_path):
    """What is held back of replayed files is in every fold; it is none of the frames in question."""
    write_toy(tmp_path / "old.xyz", 4, seed=3)
    write_toy(tmp_path / "toy.xyz", 6)
    old = {"path": "old.xyz", "level": "toy", "validation": 0.5, "split": "block"}
    start = train(write_config(tmp_path, data=[old], schedule={"epochs": 1}), output=tmp_path / "start").model
    content = yaml.safe_load(write_config(tmp_path, schedule={"epochs": 1}).read_text())
    del content["network"]
    assert start.relative_to(tmp_path) == Path("start/model.safetensors")
    finetune = {
        "model": "start/model.safetensors",
        "replay": [old],
    }  # beside the configuration, like the data
    config = parse_config(content | {"finetune": finetune})
    found = cross_validate(
        config, 3, config_folder=tmp_path, data_root=None, output=tmp_path / "cv", report=lambda line: None
    )
    assert found.n_tensors == (16, 16, 16)  # two frames of eight atoms
    card = read_header(tmp_path / "cv" / "fold-1" / "model.safetensors")["card"]
    assert found.fold_rmse_e[0] == pytest.approx(card["validation"]["toy"]["rmse_e"])


def test_held_back_compositions_that_another_file_teaches_are_not_called_unseen(tmp_path):
    four = ((12, 8), (3, 9), (12, 9), (3, 8))
    write_toy(tmp_path / "toy.xyz", 12, kinds=four)
    data = [{"path": "toy.xyz", "level": "toy", "validation": 0.25}]
    lines: dict[str, list[str]] = {}
    cards = {}
    for name, kinds in (("same", four), ("other", ((14, 8),))):
        write_toy(tmp_path / "more.xyz", 4, seed=2, kinds=kinds)
        lines[name] = []
        config = write_config(tmp_path, data=[*data, {"path": "more.xyz", "level": "toy"}])
        run = train(config, output=tmp_path / name, report=lines[name].append)
        cards[name] = read_header(run.model)["card"]
    (said,) = [line for line in lines["same"] if "compositions are learned from as well" in line]
    assert "in more)" in said
    assert not any("compositions are learned" in line for line in lines["other"])
    assert cards["same"]["calibrated_on"] == "held-back frames"
    assert cards["other"]["calibrated_on"] == "unseen compositions"


def test_elements_that_are_held_back_alone_are_named(tmp_path):
    write_toy(tmp_path / "toy.xyz", 4)
    lines: list[str] = []
    for split in ("block", "composition"):
        source = {"path": "toy.xyz", "level": "toy", "validation": 0.5, "split": split}
        config = parse_config({"data": [source], "schedule": {"epochs": 1}})
        load_sources(config, config_folder=tmp_path, data_root=None, report=lines.append)
    found = [line for line in lines if "in held-back structures alone" in line]
    assert len(found) == 1  # MgO or LiF, whichever the seed draws
    assert found[0].startswith(("warning: toy: O, Mg in", "warning: toy: Li, F in"))


def test_a_run_is_not_resumed_with_other_held_back_frames(tmp_path):
    write_toy(tmp_path / "toy.xyz", 4)
    write_toy(tmp_path / "held.xyz", 2, seed=1)
    data = [{"path": "toy.xyz", "level": "toy", "validation": "held.xyz"}]
    config = write_config(tmp_path, data=data, schedule={"epochs": 1})
    train(config, output=tmp_path / "run")
    train(config, output=tmp_path / "run", resume=True)
    write_toy(tmp_path / "held.xyz", 2, seed=2)
    with pytest.raises(DataError, match="another configuration"):
        train(config, output=tmp_path / "run", resume=True)
    before = (tmp_path / "run" / "config.yaml").read_bytes()
    config = write_config(tmp_path, data=data, schedule={"epochs": 1}, seed=9)
    with pytest.raises(DataError, match="another configuration"):
        train(config, output=tmp_path / "run", resume=True)
    assert (tmp_path / "run" / "config.yaml").read_bytes() == before  # that of the model beside it


def test_a_fine_tuning_is_not_resumed_with_another_network_to_start_from(trained, tmp_path):
    write_toy(tmp_path / "toy.xyz", 4, kinds=((12, 8),))
    base, run = tmp_path / "base.safetensors", tmp_path / "run"
    base.write_bytes((trained[0] / "run" / "model.safetensors").read_bytes())
    change = {"network": {}, "finetune": {"model": "base.safetensors"}, "schedule": {"epochs": 1}}
    config = write_config(tmp_path, **change)
    train(config, output=run)
    train(config, output=run, resume=True)
    # its weights have the same sizes, but their rows are those of other elements
    network = load_network(base)
    other = network.config.model_copy(update={"elements": (3, 8, 12, 14)})
    save_model(base, type(network)(other), {})
    with pytest.raises(DataError, match="other elements, levels or shape"):
        train(config, output=run, resume=True)


def test_what_the_network_to_start_from_has_learned_is_no_test(trained, tmp_path):
    base = str(trained[0] / "run" / "model.safetensors")  # the last 2 of 10 frames were held back
    (tmp_path / "toy.xyz").write_bytes((trained[0] / "toy.xyz").read_bytes())
    write_toy(tmp_path / "new.xyz", 4, seed=8)
    source = {"path": "toy.xyz", "level": "toy", "split": "block"}
    cases = [
        ({**source, "validation": 0.2}, False),
        ({**source, "validation": 0.1}, False),
        ({**source, "validation": 0.3}, True),
        ({**source, "validation": 0.2, "fold": [0, 5]}, True),
        ({**source, "path": "new.xyz", "validation": 0.5}, False),
        ({**source, "path": "new.xyz", "validation": "toy.xyz"}, True),
    ]
    for data, known in cases:
        config = parse_config({"data": [data], "schedule": {"epochs": 1}, "finetune": {"model": base}})
        sources = load_sources(config, config_folder=tmp_path, data_root=None, report=lambda line: None)
        said = learned_before(config, sources, tmp_path)
        assert len(said) == known, data
        assert not said or "tiny has learned from 8 structures of toy.xyz" in said[0]
    # and the cards say so
    lines: list[str] = []
    data = [{**source, "validation": 0.3}]
    config = write_config(tmp_path, data=data, network={}, schedule={"epochs": 1}, finetune={"model": base})
    result = train(config, output=tmp_path / "run", report=lines.append)
    assert any("warning: toy: tiny has learned from 8 structures" in line for line in lines)
    assert "some were learned from before" in read_header(result.model)["card"]["stated_error_data"]
    folds = CrossValidation((0.1, 0.2), (8, 8), seen_before=True)
    assert "some were learned from before" in folds.card()["stated_error_data"]
    # so does an evaluation
    warnings = evaluate_model(base, tmp_path / "toy.xyz").warnings
    assert any("tiny has learned from 8 structures of this file" in warning for warning in warnings)
    assert not any("of this file" in item for item in evaluate_model(base, tmp_path / "new.xyz").warnings)
    # and what is made of what was made of it
    new, child = {**source, "path": "new.xyz", "validation": 0.5}, tmp_path / "child"
    start = {"network": {}, "schedule": {"epochs": 1}, "finetune": {"model": base}}
    train(write_config(tmp_path, data=[new], name="child", **start), output=child)
    warnings = evaluate_model(child / "model.safetensors", tmp_path / "toy.xyz").warnings
    assert any("tiny has learned from 8 structures of this file, and this" in item for item in warnings)
    for validation, known in ((0.2, 0), (0.3, 1)):
        change = {
            "data": [{**source, "validation": validation}],
            "finetune": {"model": "child/model.safetensors"},
        }
        config = parse_config({"schedule": {"epochs": 1}, **change})
        sources = load_sources(config, config_folder=tmp_path, data_root=None, report=lambda line: None)
        assert len(learned_before(config, sources, tmp_path)) == known


def test_a_model_without_its_checkpoint_is_not_overwritten(tmp_path):
    write_toy(tmp_path / "toy.xyz", 4)
    config, run = write_config(tmp_path, schedule={"epochs": 1}), tmp_path / "run"
    run.mkdir()
    (run / "model.safetensors").write_bytes(b"took a day")
    with pytest.raises(UsageError, match="no checkpoint"):
        train(config, output=run)
    assert [path.name for path in run.iterdir()] == ["model.safetensors"]
    said = []  # a run that was killed before its first checkpoint
    train(config, output=run, resume=True, report=said.append)
    assert f"no checkpoint in {run}: the training begins" in said


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"card": {"default_level": "toi"}}, "default_level 'toi' is not among toy"),
        ({"card": {"uncertainty_scale": "big"}}, "uncertainty_scale is 'big'"),
        ({"device": "gpu"}, "no device 'gpu'"),
        ({"loss": {"ensemble": 0.1}, "network": NETWORK | {"readouts": ONE}}, "with one member of 'charges'"),
        ({"network": NETWORK | {"elements": [3, 8, 9, 12, 12]}}, "each atomic number once"),
        ({"network": NETWORK | {"cutoff_ang": 0.5}}, "no neighbors within 0.5 Å"),
        (
            {"network": NETWORK | {"readouts": [ONE[0], {"name": "polarizability", "members": 2}]}},
            "polarizability with 2 members",
        ),
        (
            {"data": [{"path": "toy.xyz", "level": "toy"}], "schedule": {"epochs": 2, "early_stopping": 1}},
            "early_stopping 1 without held-back frames",
        ),
    ],
)
def test_what_would_make_an_unusable_model_is_refused_before_training(tmp_path, change, words):
    write_toy(tmp_path / "toy.xyz", 5)
    with pytest.raises(BecMDError, match=words):
        train(write_config(tmp_path, **change), output=tmp_path / "run")
    assert not (tmp_path / "run" / "model.safetensors").exists()


def test_folds_are_disjoint_and_complete():
    for split in (
        lambda fold: split_by_block(10, 0.25, fold=fold),
        lambda fold: split_by_composition(list("aabcddefgh"), 0.25, 1, fold=fold),
    ):
        parts = [split((number, 4)) for number in range(4)]
        assert sorted(i for _, held in parts for i in held) == list(range(10))
        assert all(sorted(kept + held) == list(range(10)) for kept, held in parts)
    with pytest.raises(UsageError, match="at most 3 folds"):
        split_by_block(3, 0.25, fold=(0, 4))
    with pytest.raises(UsageError, match="at most 3 folds"):  # before any of them is trained
        split_by_composition(list("aabc"), 0.25, 1, fold=(0, 4))


def test_publishing_measures_the_second_opinion(tmp_path):
    """The limit is what an eighth of the held-back structures exceed, by what both runs predicted."""
    write_toy(tmp_path / "toy.xyz", 20, kinds=((12, 8), (3, 9), (12, 9), (3, 8)))
    data = [{"path": "toy.xyz", "level": "toy", "validation": 0.25, "split": "composition"}]
    card = {"description": "Toys", "data": "Made", "default_level": "toy"}
    card["tests"] = [{"label": "toys", "path": "toy.xyz", "level": "toy"}]
    second = train(write_config(tmp_path, data=data, schedule={"epochs": 1}), output=tmp_path / "second")
    card["second_opinion"] = {"model": str(second.model)}
    begun = train(write_config(tmp_path, data=data, card=card), output=tmp_path / "begun")
    start = {"network": {}, "finetune": {"model": str(begun.model)}}
    first = train(write_config(tmp_path, data=data, card=card, **start), output=tmp_path / "first")
    begun.model.unlink()  # what it learned is in the one that is published
    published = publish(first.model, data_root=tmp_path, destination=tmp_path)
    one, other = (read_parity(run.folder / "parity.npz")["toy"] for run in (first, second))
    differences = rms_difference(one["predicted"], other["predicted"], one["frame"])
    found = read_header(published)["card"]["second_opinion"]["difference_e"]
    assert found == pytest.approx(np.quantile(differences, 0.875), rel=1e-4)
    assert f"more than {found:.2f} e (r.m.s.)" in published.with_suffix(".md").read_text(encoding="utf-8")


def test_publishing_a_mean_measures_shares_uncertainty_and_errors(tmp_path):
    """The share has the smallest error of all on what was held back, and the card says so."""
    write_toy(tmp_path / "toy.xyz", 20, kinds=((12, 8), (3, 9), (12, 9), (3, 8)))
    data = [{"path": "toy.xyz", "level": "toy", "validation": 0.25, "split": "composition"}]
    card = {"description": "Toys", "data": "Made", "default_level": "toy"}
    card["tests"] = [{"label": "toys", "path": "toy.xyz", "level": "toy"}]
    runs = [
        train(write_config(tmp_path, data=data, card=card, schedule={"epochs": n}), output=tmp_path / str(n))
        for n in (2, 1)
    ]
    one, other = (read_parity(run.folder / "parity.npz")["toy"] for run in runs)
    models = [run.model.rename(tmp_path / f"{n}.safetensors") for run, n in zip(runs, "ab", strict=True)]
    published = publish_mean(*models, name="mean", data_root=tmp_path, destination=tmp_path)
    found = read_header(published)["card"]
    shares = np.arange(1, 20) / 20
    errors = [
        np.abs(s * one["predicted"] + (1 - s) * other["predicted"] - one["labels"]).mean() for s in shares
    ]
    assert found["shares"]["a"] == pytest.approx(shares[np.argmin(errors)])
    assert found["validation"]["toy"]["mae_e"] == pytest.approx(min(errors), rel=1e-4)
    assert set(found["domain_uncertainty_e"]) == {"Mg", "O", "Li", "F"}
    mean = shares[np.argmin(errors)] * (one["predicted"] - other["predicted"])
    differences = rms_difference(mean, 0.0 * mean, one["frame"])  # of the mean from its second network
    assert found["second_opinion"]["difference_e"] == pytest.approx(np.quantile(differences, 0.875), rel=1e-4)
    assert found["errors"]["toys"]["n_tensors"] == 160
    assert "The mean of" in published.with_suffix(".md").read_text(encoding="utf-8")
