"""Every bad input ends with what, why and fix, status 1 or 2, no traceback, and what was computed is kept."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from bec_md.cli.outputs import guard, to_json
from bec_md.current import load_current
from bec_md.errors import UsageError
from bec_md.files import require_file
from tests.cli import crystal
from tests.cli.conftest import Run

CASES = {
    "no time": (2, "--timestep"),
    "no velocities": (2, "--temperature"),
    "velocities of no unit": (2, "column Velocity is not read as velocities"),
    "nan": (1, "frame 30"),
    "fewer atoms": (1, "frame 20"),
    "zero volume": (1, "volume"),
    "no cell": (1, "Lattice"),
    "not periodic": (1, "pbc"),
    "unknown element": (1, "Mq"),
    "damaged number": (1, "frame 25"),
    "empty": (1, "empty"),
    "no frame": (1, "frame"),
}


def what_why_fix(text: str) -> None:
    assert text.count("error: ") == 1
    assert "\n  why: " in text
    assert "\n  fix: " in text


@pytest.mark.parametrize("kind", CASES)
def test_damaged_trajectory(run: Run, tmp_path: Path, kind: str) -> None:
    status, fact = CASES[kind]
    path = crystal.write(tmp_path / "bad.xyz", crystal.damaged(kind))
    result = run("spectrum", path, "--charges", crystal.CHARGES, status=status)
    what_why_fix(result.stderr)
    assert fact in result.stderr


@pytest.mark.parametrize("flag", ["--output", "--csv", "--plot", "--report"])
def test_a_dash_is_standard_output_for_json_alone(run: Run, tmp_path: Path, flag: str) -> None:
    path = crystal.write(tmp_path / "mgo.xyz", crystal.damaged("fewer atoms"))
    result = run("spectrum", path, "--charges", crystal.CHARGES, flag, "-", status=2)
    what_why_fix(result.stderr)
    assert f"{flag} - names no file" in result.stderr
    assert not (tmp_path / "-").exists()


def test_json_keeps_its_letters_where_the_output_has_few() -> None:
    values = {"n_alpha[Mgé]": 1.5, "warnings": ["ε(0) − ε_∞"]}
    for encoding in ("ascii", "iso8859-1", "ANSI_X3.4-1968"):
        text = to_json(values, encoding)
        assert text.isascii()
        assert json.loads(text) == values
    assert "ε(0)" in to_json(values, "UTF-8")


def test_a_structure_is_no_trajectory(run: Run, tmp_path: Path) -> None:
    """Who has no trajectory yet is told the way."""
    text = crystal.extxyz_text(crystal.SITES[None], None, time=False)
    path = crystal.write(tmp_path / "mgo.xyz", text)
    result = run("spectrum", path, "--charges", crystal.CHARGES, status=2)
    what_why_fix(result.stderr)
    assert "holds one structure" in result.stderr
    assert "bec-md md" in result.stderr


def test_charges_of_the_wrong_shape(run: Run, tmp_path: Path) -> None:
    path = crystal.write(tmp_path / "bad.xyz", crystal.damaged("wrong charges"))
    result = run("spectrum", path, "--charges", "file:born_effective_charges", status=1)
    what_why_fix(result.stderr)
    assert "6)" in result.stderr  # its shape


def test_a_current_is_neither_spectrum_nor_trajectory(run: Run, files: dict[str, Path]) -> None:
    run("current", files["short"], "--charges", crystal.CHARGES, "-o", "j.h5")
    for words in (("plot", "j.h5"), ("compare", "j.h5", "j.h5"), ("cite", "j.h5")):
        told = run(*words, status=1).stderr
        assert "j.h5 is a current of bec-md, no spectrum" in told
        assert "bec-md spectrum j.h5 -o" in told
    for words in (("modes", "j.h5"), ("predict", "j.h5", "-o", "p.xyz")):
        assert "j.h5 is a current of bec-md, no trajectory" in run(*words, status=1).stderr


def test_a_figure_that_needs_the_electronic_part_names_the_file_without(
    run: Run, files: dict[str, Path]
) -> None:
    words = "spectrum", files["short"], "--charges", crystal.CHARGES
    run(*words, "-o", "with.h5", "--eps-inf", "3")
    run(*words, "-o", "without.h5")
    for quantity in ("eps", "loss", "nk"):
        told = run("plot", "with.h5", "without.h5", "--quantity", quantity, status=2).stderr
        assert f"--quantity {quantity} of without, computed without ε∞" in told
        assert "bec-md spectrum with --eps-inf" in told


def test_something_else_than_a_trajectory(run: Run, tmp_path: Path) -> None:
    path = crystal.write(tmp_path / "notes.txt", crystal.damaged("not a trajectory"))
    result = run("spectrum", path, "--charges", crystal.CHARGES, status=1)
    what_why_fix(result.stderr)


def test_truncated_last_frame_is_left_out_and_said(run: Run, tmp_path: Path) -> None:
    text = crystal.extxyz_text(*crystal.trajectory(40))
    path = crystal.write(tmp_path / "cut.xyz", text[:-300])
    result = run("spectrum", path, "--charges", crystal.CHARGES, "--csv", "cut.csv")
    assert "39 frames" in result.stdout
    assert "warning: " in result.stderr
    assert "cut" in result.stderr


def test_what_came_before_a_damaged_frame_is_kept(run: Run, tmp_path: Path) -> None:
    path = crystal.write(tmp_path / "bad.xyz", crystal.damaged("nan"))
    run("spectrum", path, "--charges", crystal.CHARGES, "--batch", "5", status=1)
    kept = load_current("bad_current.h5")
    assert kept.n_frames == 30
    result = run("spectrum", "bad_current.h5", "--csv", "kept.csv")
    assert "incomplete" in result.stderr
    assert Path("kept.csv").is_file()


def test_ctrl_c_says_what_is_kept_and_how_to_go_on(
    run: Run, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from bec_md.charges.constant import ConstantCharges

    original, calls = ConstantCharges.evaluate, []

    def evaluate(self: Any, frames: Any) -> Any:
        calls.append(len(frames))
        if sum(calls) > 25:
            raise KeyboardInterrupt
        return original(self, frames)

    with monkeypatch.context() as patch:
        patch.setattr(ConstantCharges, "evaluate", evaluate)
        patch.setattr("bec_md.cli.currents.COMMIT_SECONDS", 0.0)
        result = run("spectrum", files["short"], "--charges", crystal.CHARGES, "--batch", "10", status=130)
    assert "20 samples are kept in short_current.h5" in result.stderr
    assert "same command" in result.stderr
    assert load_current("short_current.h5").n_frames == 20
    again = run("spectrum", files["short"], "--charges", crystal.CHARGES, "--batch", "10")
    assert "20 samples are there already" in again.stdout
    assert load_current("short_current.h5").n_frames == 60
    other = ("spectrum", files["short"], "--charges", "fixed:Mg=1,O=-1", "--current", "short_current.h5")
    refused = run(*other, status=2)
    assert "holds another computation" in refused.stderr
    assert "holds all" not in refused.stdout + refused.stderr
    assert "there already" not in refused.stdout


def test_home_folders_that_the_shell_leaves_to_us(
    run: Run, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`--csv=~/o.csv`: no shell writes the folder out there."""
    monkeypatch.setenv("HOME", str(tmp_path))
    source = tmp_path / "run.xyz"
    source.write_bytes(files["short"].read_bytes())
    for command, option in (("predict", "--output=~/run.xyz"), ("current", "--output=~/run.xyz")):
        said = run(command, source, "--charges", crystal.CHARGES, option, status=2).stderr
        assert "is the input" in said
    assert source.read_bytes() == files["short"].read_bytes()
    for charges in (crystal.CHARGES, "fixed:Mg=1,O=-1"):
        run("spectrum", "~/run.xyz", "--charges", charges, "--csv=~/o.csv")
    assert (tmp_path / "run_current-2.h5").is_file()
    again = run("spectrum", "~/run.xyz", "--charges", charges, "--csv=~/o.csv").stdout
    assert "holds all 60 samples" in " ".join(again.split())
    assert require_file(Path("~/run.xyz")) == source
    assert "60 samples" in run("info", "~/run_current.h5").stdout


def test_the_rest_of_a_stopped_prediction_begins_behind_its_last_frame(
    run: Run, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from bec_md.charges.constant import ConstantCharges

    words = ("predict", files["short"], "--charges", crystal.CHARGES, "--batch", "5", "--stride", "3")
    run(*words, "--start", "7", "-o", "whole.xyz")
    original, calls = ConstantCharges.evaluate, []

    def evaluate(self: Any, frames: Any) -> Any:
        calls.append(len(frames))
        if len(calls) > 2:
            raise KeyboardInterrupt
        return original(self, frames)

    with monkeypatch.context() as patch:
        patch.setattr(ConstantCharges, "evaluate", evaluate)
        told = run(*words, "--start", "7", "-o", "part.xyz", status=130).stderr
    (part,) = Path().glob("part.partial-*.xyz")
    assert "10 frames are in" in told
    found = re.search(r"--start (\d+)", told)
    assert found is not None
    begin, kept = found[1], part.rename("kept.xyz")
    run(*words, "--start", begin, "-o", "rest.xyz")
    assert kept.read_text() + Path("rest.xyz").read_text() == Path("whole.xyz").read_text()


@pytest.mark.parametrize(
    ("arguments", "facts"),
    [
        (["spectrm", "x"], ["did you mean 'spectrum'"]),
        (["spectrum", "x", "--estimatr", "lag"], ["--estimator"]),
        (["spectrum", "x", "--estimator", "wlech"], ["'welch'"]),
        (["spectrum", "{short}", "--model", "universl"], ["universl", "universal"]),
        (["spectrum", "{short}x"], ["did you mean short.xyz"]),
        (["spectrum", "{short}", "--resolution", "-3"], ["--resolution -3"]),
        (["spectrum", "{short}", "--batch", "0"], ["--batch 0"]),
        (["spectrum", "{short}", "--eps-inf", "abc"], ["--eps-inf 'abc'"]),
        (["spectrum", "{short}", "--eps-inf", "0.2"], ["below 1"]),
        (["spectrum", "{short}", "--eps-inf", "model", "--charges", crystal.CHARGES], ["--eps-inf model"]),
        (["spectrum", "{short}", "--masses", "H"], ["ELEMENT=MASS"]),
        (["spectrum", "{short}", "--masses", "Si=3"], ["Si"]),
        (["spectrum", "{short}", "--charges", "fixt:Mg=2"], ["fixed:"]),
        (["spectrum", "{short}", "--charges", "fixed:Mg=2"], ["O"]),
        (["spectrum", "{short}", "--start", "100"], ["60 frames"]),
        (["spectrum", "{short}", "--plot", "x.gif"], [".gif", ".svg"]),
        (["spectrum", "{short}", "--csv", "no/x.csv"], ["mkdir -p no"]),
        (["spectrum", "{short}", "--csv", "x", "-o", "x"], ["same file"]),
        (["spectrum", "{short}", "--volume", "3"], ["--volume"]),
        (["spectrum", "{short}", "{other}", "--current", "j.h5"], ["--current"]),
        (["spectrum", "{short}", "--charge-stride", "often"], ["auto"]),
        (["spectrum", "."], ["folder"]),
        (["spectrum", "model.safetensors"], ["--model model.safetensors"]),
        (["plan", "--error", "0"], ["positive"]),
        (["plan", "--error", "10"], ["error 10 is 1000 % of a point", "give 0.1 for 10 %"]),
        (["plan", "--resolution", "nan"], ["error: resolution nan\n", "positive"]),
        (["info", "nofile"], ["nofile: no such file"]),
        (["info", "water.xyz"], ["water.xyz: no such file"]),
        (["info", "silca"], ["did you mean 'silica'"]),
        (["cite", "spectrum.h5"], ["spectrum.h5: no such file"]),
        (["spectrum", "{short}", "--charges", crystal.CHARGES, "--device", "cuda:9"], ["--device cuda:9"]),
        (["spectrum", "{short}", "--device", "evil"], ["--device evil", "cuda"]),
        (["spectrum", "{short}", "--groups", "layers:z:1000000000"], ["at most"]),
        (["spectrum", "{short}", "--timestep", "inf"], ["--timestep"]),
        (["spectrum", "{short}", "--charges", crystal.CHARGES, "--temperature", "1e308"], ["1e+06 K"]),
        (
            ["spectrum", "{short}", "--charges", crystal.CHARGES, "-o", "short_current.h5"],
            ["--output short_current.h5", "keeps the current"],
        ),
        (["train", "none.yaml"], ["none.yaml"]),
        (
            ["spectrum", "{short}", "--charges", crystal.CHARGES, "--transposed"],
            ["--transposed with --charges"],
        ),
        (["spectrum", "{short}", "--charge-tolerance", "0.1"], ["--charge-stride auto"]),
        (["spectrum", "{short}", "--symmetry-tolerance", "0.1"], ["without --symmetry"]),
        (["spectrum", "{short}", "--estimator", "welch", "--window", "parzen"], ["--window parzen"]),
        (["spectrum", "{short}", "--tensor", "-o", "x.h5"], ["--tensor without --csv"]),
        (["spectrum", "{short}", "--group-matrix", "--csv", "x"], ["--group-matrix without --output"]),
        (["predict", "{short}", "-o", "x.xyz", "--motions", "molecules"], ["no such option"]),
        (["modes", "{short}", "--charges", crystal.CHARGES], ["--charges without --force-constants"]),
        (["plot", "x.h5", "--model", "universal"], ["--model without --harmonic"]),
        (["plot", "x.h5", "--quantity", "acf", "--xlim", "0,9"], ["--xlim with the figure acf"]),
        (["plot", "x.h5", "--quantity", "loss", "--groups", "stacked"], ["--groups stacked"]),
        (["plot", "log.csv", "--unit", "thz", "--harmonic", "x"], ["--unit and --harmonic with the figure"]),
        (["plan", "--equilibrate", "4"], ["--exchange"]),
        (["spectrum", "{short}", "-o", "x.csv"], ["--output x.csv", "another format", "suffix .h5"]),
        (["spectrum", "{short}", "--csv", "x.csv.gz"], ["--csv x.csv.gz", "suffix .csv"]),
        (["spectrum", "{short}", "--report", "x.PDF"], ["--report x.PDF", "suffix .html"]),
        (["current", "{short}", "-o", "x.npz"], ["--output x.npz", "suffix .h5"]),
        (["predict", "{short}", "-o", "x.npz"], ["--output x.npz", "suffix .xyz"]),
    ],
)
def test_wrong_usage(run: Run, files: dict[str, Path], arguments: list[str], facts: list[str]) -> None:
    filled = [argument.format(short=files["short"], other=files["later"]) for argument in arguments]
    result = run(*filled, status=2)
    assert result.stderr.count("error: ") == 1
    assert "fix: " in result.stderr
    for fact in facts:
        assert fact.lower() in result.stderr.lower()


def test_an_unexpected_failure_is_one_line_and_a_traceback_on_request(
    run: Run, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("not foreseen")

    monkeypatch.setattr("bec_md.spectrum.compute.compute_spectrum", broken)
    monkeypatch.setattr("bec_md.cli.spectrum_command.analyze", broken)
    result = run("spectrum", files["short"], "--charges", crystal.CHARGES, status=1)
    assert "ZeroDivisionError: not foreseen" in result.stderr
    assert "--debug" in result.stderr
    from typer.testing import CliRunner

    from bec_md.cli.app import app

    shown = CliRunner().invoke(
        app, ["spectrum", str(files["short"]), "--charges", crystal.CHARGES, "--debug"]
    )
    assert shown.exit_code == 1
    assert "Traceback" in shown.stderr


@pytest.mark.parametrize(("flag", "name"), [("--report", "r.md"), ("--report", "r.pdf"), ("--csv", "t.tsv")])
def test_one_format_is_not_written_under_the_name_of_another(flag: str, name: str) -> None:
    with pytest.raises(UsageError, match=rf"{flag} {name} with the suffix"):
        guard({flag: Path(name)})
