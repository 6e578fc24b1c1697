"""Labels from a model instead of a calculation, and networks with another read-out than their start."""

from dataclasses import replace

import ase.io
import numpy as np
import pytest
import torch
import yaml
from ase import Atoms

from bec_md.errors import BecMDWarning, DataError, UsageError
from bec_md.network.config import NetworkConfig
from bec_md.network.model_file import load_network, read_header, save_model
from bec_md.structure.extxyz import write_frames
from bec_md.training import train
from bec_md.training.config import Finetune, Source, parse_config
from bec_md.training.pretrained import load_pretrained, with_readouts
from bec_md.training.sources import load_sources
from bec_md.training.splits import structure_key
from bec_md.training.teacher import fractional_motion, load_teacher, mixed, read_geometries, taught

from .toy import toy_frames, write_toy

SMALL = {"channels": 4, "radial_width": 4, "scalar_width": 4, "layers": 1, "cutoff_ang": 3.0}
TEACHER = {"readouts": [{"name": "dipole", "members": 2}, {"name": "polarizability"}], **SMALL}


def write_config(file, **content):
    file.write_text(yaml.safe_dump({"schedule": {"epochs": 3}, "seed": 4} | content))
    return file


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    folder = tmp_path_factory.mktemp("teacher")
    write_toy(folder / "toy.xyz", 10)
    data = [{"path": "toy.xyz", "level": "toy", "validation": 0.2, "split": "block"}]
    config = write_config(
        folder / "t.yaml",
        data=data,
        network=TEACHER,
        loss={"kind": "mse", "ensemble": 0.1},
        name="teacher",
        schedule={"epochs": 12},
    )
    return folder, train(config, output=folder / "run", report=lambda line: None)


def test_a_polarization_is_learned(teacher):
    _, result = teacher
    first, last = result.history[0], result.history[-1]
    assert last["train_loss"] < 0.5 * first["train_loss"]
    assert last["train_rmse_e"] < first["train_rmse_e"]
    assert read_header(result.model)["config"]["readouts"][0] == {"name": "dipole", "members": 2}


def test_a_killed_run_of_it_resumes_to_the_same_weights(teacher):
    folder, _ = teacher
    config = yaml.safe_load((folder / "t.yaml").read_text())
    for epochs in (
        1,
        3,
    ):  # the schedule may change, the random directions must not; the rate is held constant
        config["schedule"] = {"epochs": epochs}
        config["optimizer"] = {"final_ratio": 1.0, "warmup": 0.0}
        train(
            write_config(folder / "r.yaml", **config), output=folder / "r", resume=True, report=lambda _: None
        )
    whole = train(write_config(folder / "r.yaml", **config), output=folder / "w", report=lambda _: None)
    resumed = load_network(folder / "r" / "model.safetensors").state_dict()
    for name, value in load_network(whole.model).state_dict().items():
        torch.testing.assert_close(resumed[name], value, rtol=0, atol=0)


def test_a_teacher_gives_its_own_tensors_to_displaced_copies(teacher):
    folder, result = teacher
    source = Source(path="toy.xyz", level="toy", teacher=str(result.model), displace_ang=0.1, copies=3)
    model = load_teacher(str(result.model), "toy", config_folder=folder)
    frames = read_geometries(folder / "toy.xyz", source)
    labelled = taught(frames, source, [model], seed=1)
    again = taught(frames, source, [model], seed=1)
    assert len(labelled) == 30
    shifts = [np.abs(labelled[i].positions_ang - frames[i // 3].positions_ang).max() for i in range(30)]
    assert 0.01 < np.mean(shifts) < 0.4
    assert len(set(shifts)) == 30
    for frame, other in zip(labelled[:4], again[:4], strict=True):
        atoms = Atoms(frame.numbers, positions=frame.positions_ang, cell=frame.cell_ang, pbc=True)
        np.testing.assert_allclose(frame.born_effective_charges, model.predict(atoms), atol=1e-6)
        np.testing.assert_array_equal(frame.positions_ang, other.positions_ang)


def test_mixed_frames_have_the_temperature_of_the_others():
    """Turned pairs of independent Gaussian displacements have the same covariance as those they come from."""
    generator = np.random.default_rng(0)
    sites = np.array([(x, y, z) for x in (0, 1) for y in (0, 1) for z in (0, 1)]) / 2
    cell = np.eye(3) * 4.0
    shape = np.array([0.02, 0.05, 0.1])  # Å along x, y, z
    start = toy_frames(1)[0]
    frames = []
    for index in range(60):
        positions = (sites @ cell + shape * generator.normal(size=(8, 3)) + 3.9) % 4.0 - 3.9 % 4.0
        frames.append(replace(start, positions_ang=positions, cell_ang=cell, index=index))
    source = Source(path="x", level="toy", teacher="m", mix=True, copies=20)
    motion = fractional_motion(frames, "x")
    copies = [mixed(i % 60, frames, motion, generator) for i in range(1200)]
    spread = np.std([frame.positions_ang for frame in copies], axis=0)
    # 60 frames give a standard deviation to 9 %, averaged over 8 atoms 3 %
    np.testing.assert_allclose(spread.mean(axis=0), shape, rtol=0.1)
    molecules = [replace(frame, cell_ang=np.zeros((3, 3)), pbc=np.zeros(3, bool)) for frame in frames]
    alone = mixed(1, molecules, fractional_motion(molecules, "x"), np.random.default_rng(1))
    inside = [replace(frame, cell_ang=np.eye(3) * 99.0) for frame in frames]  # nothing crosses a boundary
    boxed = mixed(1, inside, fractional_motion(inside, "x"), np.random.default_rng(1))
    np.testing.assert_allclose(alone.positions_ang, boxed.positions_ang, atol=1e-12)
    other = replace(frames[3], numbers=frames[3].numbers[::-1])
    for bad in ([*frames[:3], other], frames[:2]):
        with pytest.raises(UsageError, match="same atoms in the same order"):
            taught(bad, source, [], seed=0)


def test_several_teachers_are_averaged(teacher, tmp_path):
    folder, result = teacher
    one = load_teacher(str(result.model), "toy", config_folder=folder)
    network = load_network(result.model)
    with torch.no_grad():
        network.charges_from.weight.mul_(-1.0)
    save_model(tmp_path / "two.safetensors", network, {"name": "two"})
    two = load_teacher("two.safetensors", "toy", config_folder=tmp_path)
    source = Source(path="toy.xyz", level="toy", teacher=("one", "two"))
    frames = read_geometries(folder / "toy.xyz", source)[:1]
    # opposite dipoles: what remains are the charges of the elements
    (labelled,) = taught(frames, source, [one, two], seed=0)
    charges = labelled.born_effective_charges
    np.testing.assert_allclose(charges, charges[:, :1, :1] * np.eye(3), atol=1e-6)
    assert np.ptp(taught(frames, source, [one], seed=0)[0].born_effective_charges) > 0.1


def test_a_pupil_learns_from_labels_and_teacher_without_seeing_what_is_held_back(teacher):
    folder, _ = teacher
    entry = {"path": "toy.xyz", "level": "toy", "validation": 0.2, "split": "block"}
    data = [entry, entry | {"teacher": "run/model.safetensors", "displace_ang": 0.1, "copies": 4}]
    lines = []
    network = SMALL | {"readouts": [{"name": "charges", "members": 2}, {"name": "polarizability"}]}
    config = write_config(folder / "p.yaml", data=data, network=network, name="pupil")
    pupil = train(config, output=folder / "pupil", report=lines.append)
    card = read_header(pupil.model)["card"]["training"]
    assert [item["training_frames"] for item in card["data"]] == [8, 32]
    assert [item["validation_frames"] for item in card["data"]] == [2, 0]
    assert [len(text) for text in card["data"][1]["teacher_sha256"]] == [64]
    assert "teacher_sha256" not in card["data"][0]
    assert any("8 × 4 structures, displaced by up to 0.1 Å, labelled by teacher" in line for line in lines)
    assert list(read_header(pupil.model)["card"]["validation"]) == ["toy"]


def test_a_teacher_labels_nothing_that_another_file_holds_back(teacher):
    """Frames without labels count for the teacher's part, not for that of the labels: the parts differ."""
    folder, _ = teacher
    frames = toy_frames(10, seed=8)
    bare = [frame.with_labels(born_effective_charges=None, eps_inf=None) for frame in frames[6:]]
    write_frames(folder / "partly.xyz", [*frames[:6], *bare])
    entry = {"path": "partly.xyz", "level": "toy", "validation": 0.34, "split": "block"}
    taught_by = entry | {"teacher": "run/model.safetensors"}
    for data in ([entry, taught_by], [taught_by, entry]):
        config = parse_config({"data": data, "schedule": {"epochs": 1}})
        with pytest.warns(BecMDWarning, match="have no tensors"):
            found = load_sources(config, config_folder=folder, data_root=None, report=lambda line: None)
        labels, copies = sorted(found, key=lambda item: bool(item.source.teachers))
        held = {structure_key(frame) for frame in labels.validation}
        assert len(held) == 2
        assert not held & {structure_key(frame) for frame in copies.training}
        assert len(copies.training) == 5  # 7 of 10, without two
    whole = {"path": "partly.xyz", "level": "toy", "validation": "partly.xyz"}
    config = parse_config(
        {"data": [whole, entry | {"validation": 0.6} | {"teacher": "run/model.safetensors"}]}
        | {"schedule": {"epochs": 1}}
    )
    with pytest.warns(BecMDWarning), pytest.raises(UsageError, match="all of its structures are held back"):
        load_sources(config, config_folder=folder, data_root=None, report=lambda line: None)


def test_structures_without_labels_are_enough_for_a_teacher(teacher):
    folder, _ = teacher
    atoms = [
        Atoms(f.numbers, positions=f.positions_ang, cell=f.cell_ang, pbc=True) for f in toy_frames(3, seed=5)
    ]
    atoms[1].info["total_charge"] = 1.0
    ase.io.write(folder / "plain.xyz", atoms)
    source = Source(path="plain.xyz", level="toy", teacher="run/model.safetensors")
    frames = read_geometries(folder / "plain.xyz", source)
    model = load_teacher(source.teacher, "toy", config_folder=folder)
    labelled = taught(frames, source, [model], seed=0)
    for frame, charge in zip(labelled, (0.0, 1.0, 0.0), strict=True):
        np.testing.assert_allclose(frame.born_effective_charges.sum(0), charge * np.eye(3), atol=1e-5)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"copies": 3}, "name a teacher"),
        ({"displace_ang": 0.1}, "name a teacher"),
        ({"mix": True}, "name a teacher"),
        ({"copies": 3, "teacher": "universal"}, "equal copies"),
    ],
)
def test_copies_without_teacher_or_displacement_are_refused(change, said):
    entry = {"path": "a.xyz", "level": "a"} | change
    with pytest.raises(UsageError, match=said):
        parse_config({"data": [entry], "schedule": {"epochs": 1}})


def test_a_missing_teacher_a_wrong_level_and_an_unreadable_file_are_explained(teacher, tmp_path):
    _, result = teacher
    with pytest.raises(UsageError, match="no model 'absent'"):
        load_teacher("absent", "toy", config_folder=tmp_path)
    with pytest.raises(UsageError, match="no level of theory 'pbe'"):
        load_teacher(str(result.model), "pbe", config_folder=tmp_path)
    (tmp_path / "bad.xyz").write_text("nonsense\n")
    with pytest.raises(DataError, match="ASE cannot read it"):
        read_geometries(tmp_path / "bad.xyz", Source(path="bad.xyz", level="toy"))


def test_parts_of_the_tensors_have_no_weights_of_their_own(teacher):
    folder, _ = teacher
    data = [{"path": "toy.xyz", "level": "toy"}]
    config = write_config(folder / "x.yaml", data=data, network=TEACHER, loss={"antisymmetric": 2.0})
    with pytest.raises(UsageError, match="'dipole' is not trained on separate parts"):
        train(config, output=folder / "x", report=lambda line: None)


def test_a_run_can_start_from_a_network_with_other_readouts(teacher):
    folder, result = teacher
    data = [{"path": "toy.xyz", "level": "toy"}]
    new = [{"name": "charges", "members": 8}, {"name": "polarizability", "members": 1}]
    finetune = {"model": "run/model.safetensors", "readouts": new, "freeze": ["layers*"]}
    config = write_config(folder / "f.yaml", data=data, finetune=finetune, name="other")
    other = train(config, output=folder / "f", report=lambda line: None)
    assert read_header(other.model)["config"]["readouts"] == new
    # elements that the data lack would have no charges: the new read-out begins with the means of the others
    assert load_network(other.model).charges_from.reference_charge.abs().min() > 0.1
    old, new = load_network(result.model).state_dict(), load_network(other.model).state_dict()
    for name in (name for name in old if name.startswith("layers")):
        torch.testing.assert_close(old[name], new[name])


def test_charges_of_a_dipole_are_fixed_or_fitted_anew(teacher, tmp_path):
    """Oxidation numbers of the elements in the data are enough, whatever else the model knows."""
    _, result = teacher

    def started(model, numbers, elements=(8, 12)):
        wanted = [{"name": "dipole", "members": 2, "oxidation_numbers": numbers}, {"name": "polarizability"}]
        finetune = Finetune(model=str(model), readouts=wanted)
        return load_pretrained(finetune, elements=elements, levels=("toy",), config_folder=tmp_path)

    two = {"Mg": 2, "O": -2}
    for numbers, elements in ((two, (8, 12)), (two | {"Li": 1, "F": -1}, (3, 8, 9, 12))):
        fixed, new = started(result.model, numbers)
        assert (fixed.config.elements, new) == (elements, True)
    assert fixed.charges_from.reference_charge.tolist() == [1.0, -2.0, -1.0, 2.0]
    with pytest.raises(UsageError, match="one for each element of the network, atomic numbers 3, 8, 12"):
        started(result.model, two, elements=(3, 8))
    save_model(tmp_path / "fixed.safetensors", fixed, {})
    assert not started(tmp_path / "fixed.safetensors", two | {"Li": 1, "F": -1})[1]
    assert started(tmp_path / "fixed.safetensors", None)[1]  # its charges begin with those of the data


def test_the_backbone_is_kept_when_the_readouts_change(teacher):
    _, result = teacher
    network = load_network(result.model)
    wanted = NetworkConfig(elements=(1,), levels=("toy",)).readouts
    other = with_readouts(network, wanted)
    assert other.charges_from.members == 8
    assert with_readouts(other, wanted) is other
    old, new = dict(network.named_parameters()), dict(other.named_parameters())
    assert set(old) - set(new) == {"readouts.dipole.weight", "readouts.dipole.reference_charge"}
    assert {name.rsplit(".", 1)[0] for name in set(new) - set(old)} == {
        "readouts.charges",
        "readouts.charges.mix.weights",
    }
    for name in set(old) & set(new):
        torch.testing.assert_close(old[name], new[name])
