"""Further analysis at the command line: charges compared, bands fitted, conditions of the run."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from bec_md.errors import UsageError
from tests.cli import crystal
from tests.cli.conftest import Run


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trajectory whose tensors follow the positions: Z = q(1 + a u_x) on every atom."""
    positions, velocities = crystal.trajectory(1500)
    q = np.array([2.0] * 4 + [-2.0] * 4)
    shift = positions[..., 0] - positions[..., 0].mean(axis=0)
    z = q[None, :, None] * (1.0 + 1.0 * shift[..., None]) * np.eye(3).ravel()
    path = tmp_path_factory.mktemp("labelled") / "mgo.xyz"
    return crystal.write(
        path, crystal.extxyz_text(positions, velocities, extra={"born_effective_charges": z})
    )


def test_charges_are_compared_on_the_same_motion(run: Run, labelled: Path) -> None:
    text = run("spectrum", labelled, "--charges", "file", "--compare-charges", "cmp.png",
               "--oxidation", "Mg=2,O=-2", "--json", "a.json", "--resolution", "20").stdout  # fmt: skip
    assert Path("cmp.png").stat().st_size > 1000
    table = {row["name"]: row for row in json.loads(Path("a.json").read_text())["compare_charges"]}
    assert table["oxidation numbers"]["sigma_dc_s_per_m"] is None  # nothing conducts
    assert list(table) == ["dynamic Z*", "static Z*", "fixed charges", "oxidation numbers"]
    for name in table:
        assert name in text
    # Z = q(1 + u/Å): the mean over the run is q, up to sampling at 128 frames
    static, fixed, oxidation = (table[n] for n in ("static Z*", "fixed charges", "oxidation numbers"))
    assert fixed["zz_over_mass"] == pytest.approx(oxidation["zz_over_mass"], rel=0.05)
    # u of Mg at 300 K is 0.08 Å: what static charges lack is of second order, and small
    assert abs(static["intensity_ratio"] - 1.0) < 0.1
    assert static["changed_share"] < 0.3


def test_what_cannot_be_compared_is_refused(run: Run, files: dict[str, Path]) -> None:
    fixed = run(
        "spectrum", files["short"], "--charges", crystal.CHARGES, "--compare-charges", "a.png", status=2
    )
    assert "the same in every frame" in fixed.output
    lonely = run(
        "spectrum", files["short"], "--oxidation", "Mg=2,O=-2", "--charges", crystal.CHARGES, status=2
    )
    assert "--compare-charges" in lonely.output
    run("spectrum", files["xyz"], "--charges", crystal.CHARGES, "--json", "a.json")
    stored = run("spectrum", "mgo_current.h5", "--compare-charges", "a.png", status=2)
    assert "velocities of the atoms" in stored.output


def test_fits_and_longitudinal_frequencies_are_printed(run: Run, files: dict[str, Path]) -> None:
    options = ("--charges", crystal.CHARGES, "--resolution", "15", "--json", "a.json", "--max", "1500")
    text = run("spectrum", files["xyz"], *options, "--fit", "lorentz", "--thermostat-friction", "2").stdout
    found = json.loads(Path("a.json").read_text())
    band = max(found["fit"]["bands"], key=lambda b: b["strength"])
    # 8 ps of a mode with a damping of 20 cm⁻¹, in 24 coordinates
    assert band["position_cm"] == pytest.approx(crystal.MODE_CM, abs=5)
    assert f"at {band['position_cm']:.4g} ±" in text
    assert band["direction"] == "isotropic"  # the crystal is cubic
    assert "thermostat broadens every band by 10.62 cm⁻¹" in " ".join(text.split())
    assert found["parameters"]["thermostat_broadening_cm"] == pytest.approx(10.6177, abs=1e-3)
    text = run("spectrum", files["xyz"], *options, "--fit", "four-parameter", "--eps-inf", "3").stdout
    found = json.loads(Path("a.json").read_text())
    assert [b["direction"] for b in found["bands"]] == ["isotropic", "x", "y", "z"]
    # LO² = TO² + ω_p²/ε_∞
    plasma = 7014.729**2 * 4 * 4 * (1 / 24.305 + 1 / 15.999) / crystal.LATTICE_ANG**3
    lo = np.sqrt(crystal.MODE_CM**2 + plasma / 3.0)
    fitted = found["fit"]["bands"][-1]
    assert fitted["lo_cm"] == pytest.approx(lo, rel=0.1)
    assert "\nLO " in text
    refused = run("spectrum", files["xyz"], *options, "--fit", "four-parameter", status=2)
    assert "--eps-inf" in refused.output


def test_directions_surfaces_slabs_and_powders(run: Run, files: dict[str, Path]) -> None:
    options = ("--charges", crystal.CHARGES, "--resolution", "15", "--max", "1500", "--json", "a.json")
    text = run("spectrum", files["xyz"], *options, "--eps-inf", "3", "--csv", "a.csv", "--direction", "z",
               "--direction", "1,1,0", "--angle", "45", "--polarization", "p", "--surface", "z",
               "--thickness", "2", "--powder", "-v").stdout  # fmt: skip
    header = next(line for line in Path("a.csv").read_text().splitlines() if not line.startswith("#"))
    for name in ("n_alpha_cm[along z]", "loss_err[along 0.7071 0.7071 0]", "reflectance_p", "powder_alpha_cm",
                 "slab_transmittance_p_err"):  # fmt: skip
        assert name in header.split(",")
    assert "reflectance_s" not in header
    found = json.loads(Path("a.json").read_text())
    assert found["bands"][-1]["direction"] == "0.7071 0.7071 0"
    assert 0.5 < found["optics"]["extremes"]["reflectance_p"]["value"] < 1.0
    assert "reflectance p: at most" in text
    assert "already is the exact quantum one" in " ".join(text.split())
    for wrong, word in (
        (("--angle", "45"), "--eps-inf"),
        (("--eps-inf", "3", "--angle", "95"), "angle"),
        (("--eps-inf", "3", "--direction", "up"), "direction"),
        (("--eps-inf", "3", "--polarization", "s"), "--angle"),
        (("--fit", "lorentz", "--quantum", "standard"), "--quantum"),
        (("--resolution", "0.001"), "nothing finer"),
    ):
        assert word in run("spectrum", files["short"], *options[:2], *wrong, status=2).output


def test_constraints_tolerance_and_matrix(run: Run, files: dict[str, Path]) -> None:
    run("spectrum", files["xyz"], "--charges", crystal.CHARGES, "--json", "a.json", "--constraints", "5",
        "--group-matrix", "-o", "a.h5", "--charge-stride", "auto", "--charge-tolerance", "0.05",
        "--resolution", "30")  # fmt: skip
    plain = run("spectrum", files["xyz"], "--charges", crystal.CHARGES, "--json", "-", "--resolution", "30")
    with_them = json.loads(Path("a.json").read_text())
    without = json.loads(plain.stdout)
    # 21 degrees of freedom with the center at rest, 16 with five rigid bonds
    assert with_them["temperature_k"] / without["temperature_k"] == pytest.approx(21 / 16, rel=1e-6)
    with h5py.File("a.h5") as file:
        matrix = file["group_matrix_n_alpha"][()]
        # all pairs together are the spectrum
        np.testing.assert_allclose(matrix.sum(axis=(0, 1)), file["n_alpha_cm"][()], rtol=1e-8)
    bad = run("spectrum", files["short"], "--charges", crystal.CHARGES, "--charge-tolerance", "0", status=2)
    assert "--charge-tolerance" in bad.output


def test_a_spectrum_is_averaged_over_the_point_group(run: Run, files: dict[str, Path]) -> None:
    text = run("spectrum", files["xyz"], "--charges", crystal.CHARGES, "--symmetry", "auto",
               "--json", "a.json", "--csv", "a.csv", "-o", "a.h5").stdout  # fmt: skip
    assert "m-3m (48 operations)" in text
    found = json.loads(Path("a.json").read_text())["parameters"]
    with h5py.File("a.h5") as file:
        sigma = file["sigma_real"][()]
    np.testing.assert_allclose(sigma[:, 0, 0], sigma[:, 2, 2], rtol=1e-9)
    # the plain estimate stands beside: its axes differ, and their mean is that of the average
    plain = found["symmetry_plain"]["n_alpha_integral_cm2"]
    assert max(plain) > 1.001 * min(plain)
    # the stored current keeps the mean structure; the group may be named as well, or taken from a file
    for way in ("auto", "m-3m", str(files["xyz"])):
        run("spectrum", "mgo_current.h5", "--symmetry", way, "--json", "b.json")
        again = json.loads(Path("b.json").read_text())["parameters"]
        assert again["symmetry"] == "m-3m"
        assert again["symmetry_plain"]["n_alpha_integral_cm2"] == pytest.approx(plain, rel=1e-9)
    with h5py.File("mgo_current.h5", "r+") as file:  # as of another program, or an older version
        header = json.loads(file.attrs["bec_md_current"])
        del header["mean_structure"]
        file.attrs["bec_md_current"] = json.dumps(header)
    stored = run("spectrum", "mgo_current.h5", "--symmetry", "auto", "--json", "b.json", status=2)
    assert "no mean structure" in stored.output
    wrong = run("spectrum", "mgo_current.h5", "--symmetry", "m3m", "--json", "b.json", status=2)
    assert "neither a file nor a point group" in wrong.output
    run("spectrum", "mgo_current.h5", "--symmetry", "m-3m", "--symmetry-tolerance", "0", status=2)


def test_known_moments_take_noise_off_and_the_plain_estimate_stays(run: Run, files: dict[str, Path]) -> None:
    options = ("--charges", crystal.CHARGES, "--resolution", "30", "--json", "a.json", "--csv", "a.csv")
    text = run("spectrum", files["xyz"], *options, "--control", "f-sum").stdout
    found = json.loads(Path("a.json").read_text())
    check = next(c for c in found["quality"] if c["name"] == "control_variates")
    assert "variance" in text
    if check["value"] is None:  # a reason is given
        assert check["advice"] in " ".join(text.split())
    else:
        assert "plain → reduced" in text
        assert "n_alpha_plain_cm" in Path("a.csv").read_text()
    wrong = run("spectrum", files["short"], *options[:2], "--control", "axes", status=2)
    assert "f-sum" in wrong.output


def test_earlier_and_later_spellings_of_one_choice() -> None:
    from bec_md.spectrum.analysis.symmetry_options import SymmetryOptions
    from bec_md.spectrum.options import SpectrumOptions

    assert SpectrumOptions(control_variates="axis") == SpectrumOptions(control_variates="f-sum")  # type: ignore[arg-type]
    assert SpectrumOptions(control_variates="off") == SpectrumOptions(control_variates="none")  # type: ignore[arg-type]
    assert SymmetryOptions("off") == SymmetryOptions("none") == SymmetryOptions()
    assert SymmetryOptions("0.1") == SymmetryOptions("auto", 0.1)
    assert SymmetryOptions("1e-2") == SymmetryOptions("auto", 0.01)
    assert SymmetryOptions("1").symmetry == "1"  # a point group
    with pytest.raises(UsageError, match="two tolerances"):
        SymmetryOptions("0.1", 0.2)
