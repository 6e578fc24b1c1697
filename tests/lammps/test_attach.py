"""`attach` computes the same by another way: whole frames in Python instead of ranks and ghost atoms."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bec_md.errors import DataError, UsageError
from bec_md.lammps import attach
from bec_md.network.predictor import BecModel
from bec_md.structure import Frame
from tests.lammps.systems import TYPES, charges, commands, quartz, skewed, soft_forces, vector


def script() -> str:
    return (
        commands(skewed()) + soft_forces() + "velocity all create 800 4\ntimestep 0.0005\nfix nve all nve\n"
    )


def test_agrees_with_the_plugin(start: Callable[[], Any], models: dict[str, Path]) -> None:
    field = (0.2, -0.1, 0.3)
    compiled, python = start(), start()
    for lmp in (compiled, python):
        lmp.commands_string(script())
    compiled.command(f"fix bec all bec {models['two_layers']} Si O H efield {field[0]} {field[1]} {field[2]}")
    attachment = attach(python, BecModel(models["two_layers"], engine="torch"), TYPES, efield_v_ang=field)
    j = attachment.run(15)
    assert j.shape == (16, 3)
    for step, sample in enumerate(j):
        compiled.command("run 0 post no" if step == 0 else "run 1 pre no post no")
        # metal: Å/ps; both networks in float32
        np.testing.assert_allclose(vector(compiled)[:3] * 1e-3, sample, rtol=0, atol=2e-6)
    np.testing.assert_allclose(attachment.charges, charges(compiled), rtol=0, atol=5e-6)
    attachment.detach()
    python.command("run 1 post no")


def test_a_run_begins_with_fresh_tensors(lmp: Any, models: dict[str, Path]) -> None:
    """Whatever `every` says: the structure may be another one."""
    lmp.commands_string(script())
    attachment = attach(lmp, BecModel(models["two_layers"], engine="torch"), TYPES, every=100)
    lmp.command("run 3 post no")
    held = attachment.charges
    lmp.command("run 2 pre no post no")
    np.testing.assert_array_equal(attachment.charges, held)
    lmp.command("displace_atoms all random 0.2 0.2 0.2 7")
    lmp.command("run 0 post no")
    fresh = attachment.charges
    assert np.abs(fresh - held).max() > 0.01
    lmp.commands_string(f"fix bec all bec {models['two_layers']} Si O H\nrun 0 post no")
    np.testing.assert_allclose(fresh, charges(lmp), rtol=0, atol=5e-6)


def test_isotopes_are_hydrogen(lmp: Any, models: dict[str, Path]) -> None:
    lmp.commands_string(script())
    heavy = attach(lmp, BecModel(models["two_layers"], engine="torch"), ("Si", "O", "D"))
    lmp.command("run 0 post no")
    assert heavy.charges.shape[1:] == (3, 3)


@pytest.mark.parametrize(
    ("types", "word"), [(("Si", "O"), "one element for each type"), (("Si", "O", "Zz"), "Zz")]
)
def test_wrong_types(lmp: Any, models: dict[str, Path], types: tuple[str, ...], word: str) -> None:
    lmp.commands_string(commands(quartz()))
    with pytest.raises(UsageError, match=word):
        attach(lmp, str(models["two_layers"]), types)


def test_wrong_units(lmp: Any, models: dict[str, Path]) -> None:
    lmp.commands_string(commands(quartz(), units="lj"))
    with pytest.raises(UsageError, match="metal or real"):
        attach(lmp, str(models["two_layers"]), TYPES)


class Failing:
    """A model that gives ten tensors and then an error."""

    def __init__(self) -> None:
        self.calls = 0

    def predict(self, atoms: Frame) -> NDArray[np.float64]:
        self.calls += 1
        if self.calls > 10:
            raise DataError("atoms 1 and 2 overlap", "the simulation has blown up", "shorten the time step")
        return np.zeros((atoms.n_atoms, 3, 3))


def test_an_error_of_the_model_ends_the_run(lmp: Any) -> None:
    """Callbacks of ctypes lose what they raise: LAMMPS would go on to step 100 with the tensors of step 9."""
    lmp.commands_string(script())
    attachment = attach(lmp, Failing(), TYPES)
    lmp.command("run 100 post no")
    assert lmp.extract_global("ntimestep") < 100
    with pytest.raises(DataError, match="overlap"):
        attachment.current()
    with pytest.raises(DataError, match="overlap"):
        attachment.run(2)
    attachment.detach()
