"""Model files, the registry and the predictor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ase import Atoms
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from bec_md.errors import BecMDWarning, DataError, UsageError
from bec_md.network import load_model
from bec_md.network.config import NetworkConfig
from bec_md.network.loading import name_and_level
from bec_md.network.model_file import load_network, read_header, rewrite, save_model
from bec_md.network.registry import bundled_models, choose_model, model_path
from tests.network.conftest import make_network


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    path = tmp_path / "small.safetensors"
    save_model(path, make_network(sent_tensor_channels=4), {"name": "small", "uncertainty_scale": 2.0})
    return path


def quartz_like() -> Atoms:
    rng = np.random.default_rng(1)
    return Atoms("SiO2" * 3, positions=rng.uniform(0, 6, (9, 3)), cell=np.eye(3) * 6, pbc=True)


def test_a_saved_network_gives_the_same_tensors(model_file: Path) -> None:
    network = load_network(model_file)
    reference = make_network(sent_tensor_channels=4).float()
    for name, value in reference.state_dict().items():
        torch.testing.assert_close(network.state_dict()[name], value, rtol=0, atol=0)
    header = read_header(model_file)
    assert header["convention"] == "dM/du"
    assert header["config"]["elements"] == [1, 8, 14, 22, 56]


def test_the_torch_engine_agrees_with_the_network(model_file: Path) -> None:
    atoms = quartz_like()
    model = load_model(model_file, engine="torch")
    prediction = model.predict_batch([atoms, atoms])
    assert prediction.born_effective_charges.shape == (2, 9, 3, 3)
    assert prediction.members.shape == (2, 3, 9, 3, 3)
    assert prediction.eps_inf.shape == (2, 3, 3)
    np.testing.assert_allclose(model.predict(atoms), prediction.born_effective_charges[1], atol=1e-6)
    spread = prediction.members.std(axis=1, ddof=1)
    np.testing.assert_allclose(prediction.uncertainty_e, 2.0 * np.sqrt((spread**2).mean(axis=(-1, -2))))


def test_a_level_of_theory_is_named_behind_the_model(model_file: Path) -> None:
    atoms = quartz_like()
    named = load_model(f"{model_file}@b", engine="torch")
    assert named.level == "b"
    assert np.abs(named.predict(atoms) - load_model(model_file, engine="torch").predict(atoms)).max() > 1e-3


def test_a_level_beside_another_one_is_refused(model_file: Path) -> None:
    assert load_model(f"{model_file}@b", level="b", engine="torch").level == "b"
    with pytest.raises(UsageError, match="@b' beside `level='a'`"):
        load_model(f"{model_file}@b", level="a", engine="torch")


def test_a_crystal_that_is_not_marked_as_periodic_is_named(model_file: Path) -> None:
    atoms = Atoms("SiO", positions=[[0, 0, 0], [2, 0, 0]], cell=[4, 4, 2], pbc=(True, True, False))
    model = load_model(model_file, engine="torch")
    with pytest.warns(BecMDWarning, match="not periodic along c, where the atoms of the next cell"):
        model.predict(atoms)
    atoms.center(vacuum=3.0, axis=2)
    model.predict(atoms)  # warnings are errors


def test_a_folder_may_have_an_at_sign(model_file: Path) -> None:
    folder = model_file.parent / "me@work"
    folder.mkdir()
    model_file = model_file.rename(folder / model_file.name)
    assert name_and_level(model_file) == (str(model_file), None)
    assert name_and_level(f"{model_file}@b") == (str(model_file), "b")
    with pytest.raises(UsageError, match=r"no model '.*me@work/missing\.safetensors'"):
        load_model(folder / "missing.safetensors")


def test_unknown_elements_levels_names_and_devices_say_what_to_do(model_file: Path) -> None:
    model = load_model(model_file, engine="torch")
    with pytest.raises(DataError, match="does not know Xe"):
        model.predict(Atoms("Xe", cell=np.eye(3) * 9, pbc=True))
    other = quartz_like()
    other.numbers[3] = 54
    with pytest.raises(DataError, match="does not know Xe"):  # wherever in a batch it is
        model.predict_batch([quartz_like(), other])
    for batch, words in (
        ([quartz_like(), quartz_like() * (2, 1, 1)], "9 and 18 atoms"),
        ([Atoms()], "0 atoms"),
    ):
        with pytest.raises(UsageError, match=words):
            model.predict_batch(batch)
    with pytest.raises(UsageError, match="choose one of: a, b"):
        load_model(model_file, level="c")
    with pytest.raises(UsageError, match="did you mean 'universal'"):
        model_path("univresal")
    with pytest.raises(UsageError, match="needs to know the structures"):
        load_model("auto")
    if not torch.cuda.is_available():
        with pytest.raises(UsageError, match="no CUDA device"):
            load_model(model_file, device="cuda")
    for device in ("gpu", "meta"):
        with pytest.raises(UsageError, match="there is no device"):
            load_model(model_file, device=device)
    with pytest.raises(UsageError, match="`threads=0` is not a positive number"):
        load_model(model_file, threads=0)
    with pytest.raises(UsageError, match="no precision 'half'"):
        load_model(model_file, precision="half")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match='use engine="torch"'):
        load_model(model_file, engine="native", precision="tf32")


def test_damaged_and_foreign_files_are_refused(model_file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    other.write_bytes(b"not a model at all")
    with pytest.raises(DataError, match="not a bec-md model file"):
        read_header(other)
    with pytest.raises(UsageError, match="no such file"):
        read_header(tmp_path / "nothing.safetensors")
    content = model_file.read_bytes()
    other.write_bytes(content.replace(b'\\"schema\\": 2', b'\\"schema\\": 9'))
    with pytest.raises(DataError, match="newer bec-md"):
        read_header(other)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda config, card: config.update(channels=10**9), "channels is 1000000000"),
        (lambda config, card: config.update(cutoff_ang=float("nan")), "cutoff_ang is nan"),
        (lambda config, card: config.update(elements=[999]), "elements.0 is 999"),
        (lambda config, card: config.update(readout="evil"), "readout is 'evil'"),
        (lambda config, card: config["readouts"][0].update(members=10**6), "members is 1000000"),
        (lambda config, card: card.update(stated_error_e="abc"), "card.stated_error_e is 'abc'"),
        (lambda config, card: card.update(domain=5), "card.domain is 5"),
    ],
)
def test_a_damaged_header_is_named(model_file: Path, change: Any, message: str) -> None:
    header = read_header(model_file)
    change(header["config"], header["card"])
    save_file(load_file(model_file), model_file, metadata={"bec_md": json.dumps(header)})
    with pytest.raises(DataError, match=message) as error:
        read_header(model_file)
    assert "small.safetensors" in error.value.what


@pytest.mark.parametrize("change", ["missing", "another", "shape"])
def test_weights_of_another_network_are_refused(model_file: Path, change: str) -> None:
    with safe_open(model_file, "pt") as file:
        metadata = file.metadata()
    tensors = load_file(model_file)
    if change == "another":
        tensors["other"] = tensors["element"].clone()
    else:
        element = tensors.pop("element")
        tensors |= {"element": element[:-1].clone()} if change == "shape" else {}
    save_file(tensors, model_file, metadata=metadata)
    with pytest.raises(DataError, match=r"small.safetensors: .*(element|other)") as error:
        load_network(model_file)
    assert "do not fit the hyperparameters" in error.value.why


def test_hyperparameters_left_out_are_the_usual_ones(model_file: Path) -> None:
    header = read_header(model_file)
    usual = NetworkConfig.model_fields["cutoff_ang"].default
    del header["config"]["cutoff_ang"]
    save_file(load_file(model_file), model_file, metadata={"bec_md": json.dumps(header)})
    assert read_header(model_file)["config"]["cutoff_ang"] == usual


def test_tensors_fill_the_file(model_file: Path) -> None:
    """Neither more nor fewer bytes than the tensors take, and none of them twice."""
    whole = model_file.read_bytes()
    length = int.from_bytes(whole[:8], "little")
    entries = json.loads(whole[8 : 8 + length])
    first = next(name for name in entries if name != "__metadata__")
    begin, end = entries[first]["data_offsets"]
    entries[first]["data_offsets"] = [begin + 4, end + 4]
    moved = json.dumps(entries).encode()
    shifted = len(moved).to_bytes(8, "little") + moved + whole[8 + length :]
    for content in (whole[:-4], whole + b"more", shifted):
        model_file.write_bytes(content)
        with pytest.raises(DataError, match=r"its tensors fill \d+ bytes without a gap, of \d+"):
            read_header(model_file)


@pytest.mark.parametrize("kind", ["charges", "dipole"])
def test_files_of_the_first_schema_are_read_and_rewritten(kind: str, tmp_path: Path) -> None:
    """Schema 1 had one kind of read-out and other names; the dipole had one member."""
    network = make_network(kind, members=3 if kind == "charges" else 1, sent_tensor_channels=4).float()
    path, old, new = (tmp_path / f"{name}.safetensors" for name in ("today", "old", "new"))
    save_model(path, network, {"name": "small"})
    header, tensors = read_header(path), load_file(path)
    header["schema"] = 1
    del header["config"]["readouts"]
    header["config"] |= {"readout": "polarization", "members": 1} if kind == "dipole" else {"members": 3}
    for before, after in {
        "readout.weights.": "readouts.charges.mix.weights.",
        "dipole": "readouts.dipole.weight",
        "reference_charge": f"readouts.{kind}.reference_charge",
        "polarizability.": "readouts.polarizability.size.",
        "anisotropy.": "readouts.polarizability.anisotropy.",
    }.items():
        for name in [name for name in tensors if name.startswith(after)]:
            value = tensors.pop(name)
            tensors[before + name[len(after) :]] = value[:, 0].contiguous() if before == "dipole" else value
    save_file(tensors, old, metadata={"bec_md": json.dumps(header)})
    expected = load_model(path, engine="torch").predict(quartz_like())
    np.testing.assert_array_equal(load_model(old, engine="torch").predict(quartz_like()), expected)
    # slopes of tabulated radial functions: as in tests/native, 1e-5 of the largest tensor
    native = load_model(old).predict(quartz_like())
    np.testing.assert_allclose(native, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
    rewrite(old, new)
    assert read_header(new) == read_header(path)
    for name, value in load_file(path).items():
        torch.testing.assert_close(load_file(new)[name], value, rtol=0, atol=0)


def test_every_bundled_model_states_its_provenance_and_errors() -> None:
    models = bundled_models()
    assert "universal" in models
    for model in models.values():
        assert model.path.stat().st_size < 5e6
        for key in ("name", "description", "data", "stated_error_e", "default_level", "errors", "training"):
            assert key in model.card, (model.name, key)
        json.dumps(model.card)


def test_auto_prefers_a_specialized_model_inside_its_domain() -> None:
    for model in bundled_models().values():
        if "domain" in model.card:
            elements = {next(iter(group)) for group in model.card["domain"]["any_of"]}
            name, why = choose_model(elements)
            assert bundled_models()[name].suits(elements)
            assert "domain" in why
    assert choose_model([3, 9])[0] == "universal"
