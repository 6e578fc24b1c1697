"""The mean of several networks as one model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.md.velocitydistribution import Stationary

from bec_md.current import compute_current
from bec_md.errors import DataError, UsageError
from bec_md.network import BecModel, load_model
from bec_md.network.model_file import load_network, read_header, save_mean, save_model, shares_in_words
from bec_md.network.native import native_status
from bec_md.network.native_library import NativeStatus
from tests.network.conftest import make_network

SHARES = {"tensors.safetensors": 3.0, "dipole.safetensors": 1.0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One network of tensors, one of a polarization, and their mean."""
    folder = tmp_path_factory.mktemp("mean")
    for index, name in enumerate(SHARES):
        network = make_network(["charges", "dipole"][index], 3 + index, sent_tensor_channels=4)
        save_model(folder / name, network, {"uncertainty_scale": 2.0 + index, "default_level": "b"})
    save_mean(folder / "mean.safetensors", SHARES, {"uncertainty_scale": 1.5})
    save_model(folder / "without.safetensors", make_network(), {"eps_inf_trained": False})
    save_mean(folder / "partial.safetensors", {"tensors.safetensors": 1.0, "without.safetensors": 5.0})
    return folder


@pytest.fixture(scope="module")
def models(folder: Path) -> list[BecModel]:
    return [load_model(folder / name, level="b") for name in (*SHARES, "mean.safetensors")]


def quartz_like(seed: int = 0) -> Atoms:
    rng = np.random.default_rng(seed)
    return Atoms("Si2O4", scaled_positions=rng.random((6, 3)), cell=np.diag([5.1, 4.7, 5.6]), pbc=True)


def test_tensors_and_eps_inf_are_the_weighted_mean(folder: Path, models: list[BecModel]) -> None:
    first, second, mean = (model.predict_batch([quartz_like(), quartz_like(1)]) for model in models)
    partial = load_model(folder / "partial.safetensors", level="b").predict_batch([quartz_like()])
    np.testing.assert_allclose(partial.eps_inf[0], first.eps_inf[0])  # the other has not learned it
    for key in ("born_effective_charges", "eps_inf"):
        expected = 0.75 * getattr(first, key) + 0.25 * getattr(second, key)
        np.testing.assert_allclose(getattr(mean, key), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(models[2].predict(quartz_like()), mean.born_effective_charges[0], atol=1e-5)


def test_the_spread_holds_members_and_what_the_networks_differ_by(models: list[BecModel]) -> None:
    """Variances add: (share × uncertainty)² of the tensors, a quarter of the squared difference."""
    first, second, mean = (model.predict_batch([quartz_like()]) for model in models)
    members = mean.members.shape[1]
    assert members == 6  # a multiple of two networks, and of three members of the first
    difference = (first.born_effective_charges - second.born_effective_charges) / 2
    expected = (difference**2).mean(axis=(2, 3)) * members / (members - 1)
    expected += (0.75 * first.uncertainty_e) ** 2 * 2 / 3 * members / (members - 1)
    np.testing.assert_allclose(mean.uncertainty_e / 1.5, np.sqrt(expected), rtol=1e-4)


def test_the_current_is_that_of_the_tensors(models: list[BecModel]) -> None:
    frames, rng = [quartz_like(2), quartz_like(3)], np.random.default_rng(1)
    velocities, group = rng.normal(size=(2, 6, 3)), np.array([0, 1, 0, 1, 1, -1])
    prediction, found = models[2].predict_batch(frames), models[2].current(frames, velocities, group)
    assert found.polarization is None
    share = (group[:, None] == np.arange(2)).astype(float)
    expected = np.einsum("fmnab,fnb,ng->fmga", prediction.members, velocities, share)
    np.testing.assert_allclose(found.members, expected, atol=2e-5 * np.abs(expected).max())
    np.testing.assert_allclose(found.current, expected.mean(axis=1), atol=2e-5 * np.abs(expected).max())


def test_a_trajectory_gives_the_weighted_current(folder: Path, models: list[BecModel]) -> None:
    rng, frames = np.random.default_rng(4), []
    for _ in range(20):
        frames.append(quartz_like())
        frames[-1].positions += rng.normal(0, 0.02, (6, 3))
        frames[-1].set_velocities(rng.normal(0, 0.05, (6, 3)))
        Stationary(frames[-1])  # a drift meets the charge sum of the first frame alone
    first, second, mean = (compute_current(frames, model, timestep_fs=1.0, threads=1) for model in models)
    assert mean.polarization is None
    expected = 0.75 * first.current + 0.25 * second.current
    np.testing.assert_allclose(mean.current, expected, atol=1e-4 * np.abs(expected).max())
    assert mean.member_current is not None


def test_tensors_of_every_frame_stand_where_all_networks_give_them(folder: Path) -> None:
    """Their current needs them anyway: the f-sum rule is not that of the first frame of a block alone."""
    frames = [quartz_like(seed) for seed in range(4)]
    for seed, frame in enumerate(frames):
        frame.set_velocities(np.random.default_rng(seed).normal(0, 0.01, (6, 3)))
    model = load_model(folder / "partial.safetensors", level="b")
    current = compute_current(frames, model, timestep_fs=1.0, groups="none", threads=1)
    tensors = model.predict_batch(frames).born_effective_charges
    expected = np.einsum("fiab,ficb,i->fac", tensors, tensors, 1 / frames[0].get_masses())
    np.testing.assert_allclose(current.zz_over_mass.sum(axis=1), expected, rtol=1e-3)


def test_what_the_networks_have_in_common(folder: Path) -> None:
    header = read_header(folder / "mean.safetensors")
    assert list(header["mean_of"].values()) == [0.75, 0.25]
    assert header["card"]["name"] == "mean"
    save_model(folder / "other.safetensors", make_network(), {})
    fingerprints = {load_model(folder / "mean.safetensors", level=level).fingerprint for level in "ab"}
    save_mean(folder / "equal.safetensors", dict.fromkeys(SHARES, 1.0))
    assert load_model(folder / "equal.safetensors", level="a").fingerprint not in fingerprints
    with pytest.raises(DataError, match="mean of several networks"):
        load_network(folder / "mean.safetensors")
    with pytest.raises(DataError, match="are means themselves"):
        save_mean(folder / "nested.safetensors", {"mean.safetensors": 1, "other.safetensors": 1}, {})
    assert not (folder / "nested.safetensors").exists()
    with pytest.raises(UsageError, match=r"missing\.safetensors"):
        save_mean(folder / "half.safetensors", {"missing.safetensors": 1, "other.safetensors": 1}, {})


def test_what_is_no_mean_is_refused_before_it_is_written(folder: Path) -> None:
    """A network written over by its own mean was lost; one named twice by two paths gave half its tensors."""
    first, second = SHARES
    before = (folder / first).read_bytes()
    for name, shares, match in (
        (first, SHARES, "is the mean itself"),
        ("bad.safetensors", {first: 1, f"./{first}": 1}, "named twice"),
        ("bad.safetensors", {first: 1, second: 1, f"./{second}": 1}, "named twice"),
        ("bad.safetensors", {first: 1, second: -1}, "greater than 0"),
        ("bad.safetensors", {first: 1}, "two model files or more"),
        ("bad.safetensors", {first: 1, second: "half"}, "a share above zero"),
    ):
        with pytest.raises(DataError, match=match):
            save_mean(folder / name, shares)
    assert (folder / first).read_bytes() == before
    assert not (folder / "bad.safetensors").exists()


def test_networks_of_one_name_are_told_apart(tmp_path: Path) -> None:
    """Every training writes a model.safetensors."""
    for run in ("one", "two"):
        (tmp_path / run).mkdir()
        save_model(tmp_path / run / "model.safetensors", make_network(), {})
    path = tmp_path / "both.safetensors"
    save_mean(path, {"one/model.safetensors": 3, tmp_path / "two/model.safetensors": 1})
    words = "0.75 of one/model.safetensors and 0.25 of two/model.safetensors"
    assert shares_in_words(path, read_header(path)) == words


def test_why_there_is_no_compiled_evaluator_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    status = NativeStatus(False, "no compiler")
    monkeypatch.setattr("bec_md.network.native.native_status", lambda: status)
    assert "no compiler" in load_model(folder / "mean.safetensors").engine_note


def test_a_mean_of_fine_tuned_networks_answers_at_their_level(folder: Path) -> None:
    """Their headers know the levels that they began with, too, and those come first."""
    assert read_header(folder / "mean.safetensors")["config"]["levels"] == ["a", "b"]
    assert load_model(folder / "mean.safetensors").level == "b"


@pytest.mark.skipif(not native_status().available, reason="no native evaluator")
def test_the_evaluator_of_one_network_refuses_a_mean(folder: Path) -> None:
    from bec_md.network.native import NativeModel

    with pytest.raises(DataError, match="add the currents with their shares"):
        NativeModel(folder / "mean.safetensors", "a", (8, 14))
