from __future__ import annotations

import pickle
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from bec_md.charges import charges_key, make_charge_source
from bec_md.charges.constant import scalar_per_atom
from bec_md.charges.model import ModelCharges
from bec_md.errors import DataError, UsageError

from .crystals import frame_of, quartz, site_tensors

FRAME = frame_of(quartz())
INFO = SimpleNamespace(numbers=FRAME.numbers)


def source(spec: object, **options: object) -> object:
    return make_charge_source(spec, info=INFO, **options).prepare(FRAME)


def test_fixed_scalars_are_isotropic_tensors() -> None:
    found = source("fixed:Si=3.4,O=-1.7")
    z = found.evaluate([FRAME, FRAME]).born_effective_charges
    assert z.shape == (2, 9, 3, 3)
    assert np.array_equal(z[1, 0], 3.4 * np.eye(3))
    assert np.array_equal(z[1, 8], -1.7 * np.eye(3))
    assert found.constant
    assert found.notes == ()
    assert "sum to +3 e" in source("fixed:Si=3,O=-1").notes[0]
    assert found.fingerprint != source("fixed:Si=3.5,O=-1.75").fingerprint
    assert found.fingerprint == source({"Si": 3.4, "O": -1.7}).fingerprint


def test_oxidation_numbers_have_to_add_up() -> None:
    assert np.array_equal(
        source("oxidation:Si=4,O=-2").evaluate([FRAME]).born_effective_charges[0, 0], 4.0 * np.eye(3)
    )
    with pytest.raises(DataError, match=r"Si3.* sum to \+3 e, not \+0 e"):
        source("oxidation:Si=5,O=-2")
    source("oxidation:Si=5,O=-2", total_charge=3.0)


def test_tensors_of_the_file() -> None:
    z = site_tensors(quartz())
    frame = FRAME.with_labels(born_effective_charges=z)
    found = make_charge_source("file:my_z", info=INFO)
    assert np.array_equal(found.evaluate([frame]).born_effective_charges[0], z)
    assert charges_key("file:my_z") == "my_z"
    assert charges_key("file") is None
    assert charges_key("model") is None
    with pytest.raises(DataError, match="frame 7 carries no Born effective charges") as error:
        found.evaluate([frame, replace(FRAME, index=7)])
    assert "file:KEY" in error.value.fix
    bad = z.copy()
    bad[4, 1, 1] = np.nan
    with pytest.raises(DataError, match="atom 4 in frame 3 is not finite"):
        found.evaluate([replace(FRAME.with_labels(born_effective_charges=bad), index=3)])


def test_arrays() -> None:
    z = site_tensors(quartz())
    assert np.array_equal(source(z).evaluate([FRAME]).born_effective_charges[0], z)
    with pytest.raises(DataError, match="4 tensors, but the trajectory has 9 atoms"):
        source(z[:4])
    with pytest.raises(DataError, match=r"shape \(9, 9\)"):
        source(z.reshape(9, 9))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("guess", "`charges=guess`"),
        ("born:", "is not understood"),
        ("model:x", "is not understood"),
        ("fixed:Si=3.4", "no charge for O"),
        ("fixed:Si=3.4,O", "'O' in `charges="),
        ("fixed:Si=3.4,O=x", "'O=x' in `charges="),
        ("fixed:Si=3.4,O=-2,O=-1", "O occurs twice"),
        ("fixed:Quux=1,Si=1,O=1", "'Quux' .* is not an element"),
        ("fixed:Si=1,O=-1,D=1,H=0.5", "isotopes of an element have the same charge"),
        (3.0, "not a source"),
    ],
)
def test_specifications_that_are_not_understood(spec: object, message: str) -> None:
    with pytest.raises(UsageError, match=message) as error:
        source(spec)
    assert error.value.fix


def test_deuterium_has_the_charge_that_is_given_for_it() -> None:
    assert scalar_per_atom({"D": 0.4, "O": -0.8}, np.array([8, 1, 1]), "fixed").tolist() == [-0.8, 0.4, 0.4]


class ToyModel:
    """Stands for a network: constant tensors, two members."""

    name, fingerprint, elements, cutoff_ang = "toy", "abc", (8, 14), 5.0

    def predict_batch(self, frames: list) -> SimpleNamespace:
        n = len(frames[0].numbers)
        z = np.broadcast_to(2.0 * np.eye(3, dtype=np.float32), (len(frames), n, 3, 3))
        return SimpleNamespace(
            born_effective_charges=z,
            uncertainty_e=np.full((len(frames), n), 0.1),
            members=np.stack([z, z], axis=1),
            eps_inf=np.broadcast_to(2.4 * np.eye(3), (len(frames), 3, 3)),
        )


def test_a_model_is_a_source() -> None:
    found = source("model", model=ToyModel())
    batch = found.evaluate([FRAME, FRAME])
    assert batch.born_effective_charges.dtype == np.float64
    assert batch.members.shape == (2, 2, 9, 3, 3)
    assert batch.eps_inf[0, 0, 0] == 2.4
    assert (found.name, found.fingerprint) == ("model toy", "abc")
    assert source(ToyModel()).name == "model toy"


def test_an_element_that_the_model_does_not_know_is_refused() -> None:
    frame = replace(FRAME, numbers=np.array([14, 8, 8, 8, 92, 8, 8, 8, 8]))
    with pytest.raises(DataError, match=r"does not know U \(atom 4\)"):
        ModelCharges(ToyModel()).prepare(frame)


def test_non_finite_predictions_name_the_frame() -> None:
    class Broken(ToyModel):
        def predict_batch(self, frames: list) -> SimpleNamespace:
            found = super().predict_batch(frames)
            found.born_effective_charges = np.array(found.born_effective_charges)
            found.born_effective_charges[1, 2] = np.inf
            return found

    with pytest.raises(DataError, match="non-finite tensors in frame 11"):
        ModelCharges(Broken()).evaluate([FRAME, replace(FRAME, index=11)])


def test_a_named_model_is_sent_by_its_name() -> None:
    named = ModelCharges("universal")
    assert named.model.name == "universal"  # loaded here
    copy = pickle.loads(pickle.dumps(named))
    assert copy._model is None
