"""Fresh runs with honest options pass every check without a word."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks import no_false_alarm as honest


@pytest.mark.parametrize("kind", honest.DYNAMICS)
def test_a_run_of_ase_raises_no_alarm(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(honest, "DYNAMICS", {kind: honest.DYNAMICS[kind]})
    monkeypatch.setattr(honest, "crystals", lambda: {"Cu": honest.bulk("Cu", cubic=True)})
    found = dict(honest.fresh(tmp_path, count=30))
    assert len(found) == 9
    assert not {label: said for label, said in found.items() if said}


def test_a_run_of_lammps_raises_no_alarm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if honest.shutil.which("lmp") is None:
        pytest.skip("LAMMPS is not installed")
    kind = "NPT with tilts"
    monkeypatch.setattr(honest, "FIXES", {kind: honest.FIXES[kind]})
    monkeypatch.setattr(honest, "COLUMNS", ("xs ys zs ix iy iz vx vy vz", "xu yu zu"))
    found = dict(honest.fresh_of_lammps(tmp_path, count=30))
    assert len(found) == 6
    assert not {label: said for label, said in found.items() if said}
