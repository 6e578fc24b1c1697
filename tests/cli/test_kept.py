"""What is there after a failure: inputs untouched, outputs whole or not there, finished rows kept."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from ase.io import write
from safetensors.numpy import load_file

from bec_md.cli.outputs import OutputOptions
from bec_md.cli.values import common_stem, stems_of
from bec_md.training.loop import Trainer
from tests import forked
from tests.cli import crystal
from tests.cli.conftest import Run
from tests.current.toy import oscillators, trajectory

FIXED = ["--charges", "fixed:Si=4,O=-2,Li=0"]


def bec_md(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return forked.run(["bec-md", *words], folder)


def bec_md_after(statements: str, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command line after some statements in its process."""
    return forked.run(["-c", f"{statements}\nfrom bec_md.cli import main\nmain()", *words], folder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "t.xyz", trajectory(oscillators(), 60, 2.0), format="extxyz")
    return tmp_path


def current_of(path: Path) -> np.ndarray[Any, Any]:
    with h5py.File(path) as file:
        return np.asarray(file["current"][()])


def test_a_current_that_has_no_place_is_told_before_the_work(folder: Path) -> None:
    words = ("spectrum", "t.xyz", "--timestep", "2", *FIXED, "--resolution", "300", "--json", "-")
    forbidden = "import os; os.access = lambda *of, **how: False"
    done = bec_md_after(forbidden, folder, *words)
    assert done.returncode == 2
    assert "--current t_current.h5: the folder" in done.stderr
    assert "-o ~/name.h5" in done.stderr
    assert bec_md(folder, *words).returncode == 0
    assert bec_md_after(forbidden, folder, *words).returncode == 0  # kept: nothing is written


@pytest.mark.parametrize("link", ["itself", "symbolic", "hard"])
@pytest.mark.parametrize("words", [("spectrum", "--csv"), ("spectrum", "--current"), ("predict", "-o")])
def test_no_output_replaces_an_input(folder: Path, words: tuple[str, str], link: str) -> None:
    source, target = folder / "t.xyz", folder / "t.xyz"
    before = source.read_bytes()
    if link != "itself":
        target = folder / "other.xyz"
        target.symlink_to(source) if link == "symbolic" else target.hardlink_to(source)
    timing = ["--timestep", "2"] if words[0] == "spectrum" else []
    done = bec_md(folder, words[0], "t.xyz", *timing, *FIXED, words[1], target.name)
    assert (done.returncode, source.read_bytes() == before) == (2, True), done.stderr
    assert "is the input" in done.stderr


def test_a_link_into_no_folder_is_refused_before_any_work(folder: Path) -> None:
    (folder / "s.h5").symlink_to("nowhere/s.h5")
    done = bec_md(folder, "spectrum", "t.xyz", "--timestep", "2", *FIXED, "-o", "s.h5")
    assert (done.returncode, "there is no folder" in done.stderr) == (2, True), done.stderr
    assert not (folder / "t_current.h5").exists()


def test_a_stored_current_is_not_overwritten_by_its_spectrum(folder: Path) -> None:
    assert bec_md(folder, "current", "t.xyz", "--timestep", "2", *FIXED, "-o", "c.h5").returncode == 0
    before = (folder / "c.h5").read_bytes()
    assert bec_md(folder, "spectrum", "c.h5", "-o", "c.h5").returncode == 2
    assert (folder / "c.h5").read_bytes() == before


def test_the_same_command_goes_on_with_its_file(folder: Path) -> None:
    command = ["current", "t.xyz", "--timestep", "2", *FIXED, "-o", "c.h5"]
    assert bec_md(folder, *command, "--stop", "25").returncode == 0
    before = current_of(folder / "c.h5")
    done = bec_md(folder, *command)
    assert done.returncode == 0, done.stderr
    assert np.array_equal(current_of(folder / "c.h5")[:25], before)
    assert len(current_of(folder / "c.h5")) == 60


def test_other_folders_and_links_of_that_name_are_left_alone(folder: Path) -> None:
    command = ["current", "t.xyz", "--timestep", "2", *FIXED, "-o", "c.h5"]
    (folder / "c.h5.parts").mkdir()
    (folder / "c.h5.parts" / "notes").write_text("mine")
    assert bec_md(folder, *command).returncode == 0
    assert (folder / "c.h5.parts" / "notes").read_text() == "mine"
    (folder / "c.h5").unlink()
    (folder / "precious").write_text("mine")
    (folder / "c.h5.parts" / "lock").symlink_to(folder / "precious")
    assert "lock is a link" in bec_md(folder, *command).stderr
    (folder / "c.h5.parts").rename(folder / "elsewhere")
    (folder / "c.h5.parts").symlink_to(folder / "elsewhere")
    done = bec_md(folder, *command)
    assert (done.returncode, "is a link" in done.stderr) == (2, True)
    assert (folder / "precious").read_text() == (folder / "elsewhere" / "notes").read_text() == "mine"


LIMITED = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, ({}, resource.RLIM_INFINITY))"


@pytest.mark.parametrize("kilobytes", [1, 20])
def test_a_limit_on_files_ends_in_a_sentence_and_loses_nothing(folder: Path, kilobytes: int) -> None:
    command = ["spectrum", "t.xyz", "--timestep", "2", *FIXED, "--resolution", "50", "-o", "s.h5"]
    command += ["--csv", "s.csv"]
    done = bec_md_after(LIMITED.format(1024 * kilobytes), folder, *command)
    assert done.returncode == 1, done.stderr
    assert "ulimit" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(folder.glob("s.*"))  # nothing that looks finished
    assert bec_md(folder, *command).returncode == 0
    assert sorted(path.name for path in folder.iterdir()) == ["s.csv", "s.h5", "t.xyz", "t_current.h5"]


#: Sends a signal once the first rows are stored, which is early.
SIGNALLED = """
import glob, os, signal, threading, time
from bec_md.current import chunks
chunks.FIRST_SECONDS = 0.1
def send():
    while not glob.glob("c.h5.parts/rows-*"):
        time.sleep(0.005)
    os.kill(os.getpid(), {0})
signal.signal({0}, signal.SIG_DFL)
threading.Thread(target=send, daemon=True).start()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_keeps_the_rows_that_are_done(tmp_path: Path, number: signal.Signals) -> None:
    write(tmp_path / "t.xyz", trajectory(oscillators(), 4000, 2.0), format="extxyz")
    words = ["current", "t.xyz", "--timestep", "2", *FIXED, "-o", "c.h5", "--batch", "1"]
    done = bec_md_after(SIGNALLED.format(int(number)), tmp_path, *words)
    assert done.returncode == 128 + number, done.stderr
    assert "Traceback" not in done.stderr
    assert "samples are kept" in done.stderr
    kept = current_of(tmp_path / "c.h5")
    assert 0 < len(kept) < 4000


#: The command line that sends itself a signal when the joined file is written to for the n-th time: amid a
#: call of HDF5, where an exception would be lost, and the file whole by its header with holes in it.
DISTURBED = """
import os, sys
from bec_md import hdf5
from bec_md.cli import main
number, wanted, write, seen = int(sys.argv.pop(1)), int(sys.argv.pop(1)), hdf5._Writer.write, 0
def disturbed(self, data):
    global seen
    seen += os.path.basename(self._stream.name).startswith("c.partial-")
    if seen == wanted:
        os.kill(os.getpid(), number)
    return write(self, data)
hdf5._Writer.write = disturbed
main()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("wanted", [2, 8])
def test_a_signal_while_parts_are_joined(folder: Path, number: signal.Signals, wanted: int) -> None:
    command = ["current", "t.xyz", "--timestep", "2", *FIXED, "-o", "c.h5", "--batch", "1"]
    done = forked.run(["-c", DISTURBED, str(int(number)), str(wanted), *command], folder)
    assert done.returncode == 128 + number, done.stderr
    assert "Traceback" not in done.stderr
    assert not list(folder.glob("*.partial-*"))
    assert bec_md(folder, *command).returncode == 0
    after = current_of(folder / "c.h5")
    assert bec_md(folder, *command[:-3], "d.h5").returncode == 0
    assert after.tobytes() == current_of(folder / "d.h5").tobytes()


def test_results_of_an_input_with_a_long_name_have_one_that_fits() -> None:
    for name in ("é" * 124, "run"):
        for stem in (common_stem([f"a/{name}.xyz"]), *stems_of([f"a/{name}.xyz", f"b/{name}.xyz"])):
            made = OutputOptions().with_defaults(stem)
            assert all(len(os.fsencode(path)) < 250 for path in (made.output, made.csv, made.plot) if path)
    assert str(made.csv) == "b_run_spectrum.csv"


def test_a_closed_pipe_does_not_end_the_work(folder: Path) -> None:
    closed = "import os, sys\nread, written = os.pipe()\nos.close(read)\nsys.stdout = open(written, 'w')"
    words = ("spectrum", "t.xyz", "--timestep", "2", *FIXED, "--resolution", "50", "--csv", "s.csv")
    done = bec_md_after(closed, folder, *words)
    assert (done.returncode, (folder / "s.csv").is_file()) == (0, True), done.stderr


@pytest.mark.parametrize(("number", "name"), [(1, "stdout"), (2, "stderr")])
def test_closed_streams_end_no_work_and_mix_with_no_result(folder: Path, number: int, name: str) -> None:
    closed = f"import os, sys\nos.close({number})\nsys.{name} = None"
    words = ("spectrum", "t.xyz", "--timestep", "2", *FIXED, "--resolution", "50", "--json", "-")
    done = bec_md_after(closed, folder, *words)
    assert done.returncode == 0, done.stderr
    assert number == 1 or json.loads(done.stdout)["n_frames"] == 60


@pytest.mark.parametrize(
    "words", [("info", "t.xyz"), ("current", "t.xyz", "-o", "c.h5", "--timestep", "2", *FIXED)]
)
def test_a_report_that_finds_no_room_is_a_failure(folder: Path, words: tuple[str, ...]) -> None:
    done = bec_md_after('import os\nos.dup2(os.open("/dev/full", os.O_WRONLY), 1)', folder, *words)
    assert done.returncode == 1
    assert "standard output cannot be written\n  why: the disk is full" in done.stderr
    if "c.h5" in words:  # what was asked for is there, whole
        again = bec_md(folder, *words, "-q")
        assert (again.returncode, again.stderr) == (0, "")


@pytest.mark.parametrize("change", [("--masses", "Li=6"), ("--stride", "2"), ("--start", "1")])
def test_other_options_are_another_computation(folder: Path, change: tuple[str, str]) -> None:
    command = ["current", "t.xyz", "--timestep", "2", *FIXED, "-o", "c.h5"]
    assert bec_md(folder, *command).returncode == 0
    done = bec_md(folder, *command, *change)
    assert (done.returncode, "holds another computation" in done.stderr) == (2, True), done.stderr


def training_files(folder: Path, epochs: int) -> None:
    positions, _ = crystal.trajectory(6)
    charges = np.zeros((6, 8, 9))
    charges[:, :4, ::4], charges[:, 4:, ::4] = 2.0, -2.0
    text = crystal.extxyz_text(positions, None, time=False, extra={"born_effective_charges": charges})
    crystal.write(folder / "data.xyz", text)
    (folder / "tiny.yaml").write_text(
        "name: mine\ndata:\n  - {path: data.xyz, level: test, validation: 0.4, split: block}\n"
        "network: {channels: 4, radial_width: 4, scalar_width: 4, members: 2, cutoff_ang: 3.0}\n"
        f"schedule: {{epochs: {epochs}}}\nbatch: {{max_edges: 2000}}\n"
    )


def weights_of(folder: str) -> dict[str, bytes]:
    found = load_file(f"{folder}/model.safetensors")
    return {name: values.tobytes() for name, values in found.items()}


def test_a_training_without_room_keeps_its_last_checkpoint(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bec_md.training.run.draw", lambda folder, evaluations: ())
    training_files(tmp_path, 2)
    run("train", "tiny.yaml", "-o", "whole", "-q")
    write, written = Path.write_bytes, 0

    def limited(path: Path, data: bytes) -> int:
        """Write half of a file where the quota is used up."""
        nonlocal written
        written += 1
        if written <= room:
            return write(path, data)
        write(path, data[: len(data) // 2])
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    for room in range(4):  # the best model and the checkpoint of the first epoch, and of the second
        written, out = 0, f"out-{room}"
        with monkeypatch.context() as patch:
            patch.setattr(Path, "write_bytes", limited)
            said = run("train", "tiny.yaml", "-o", out, "-q", status=1).stderr
        name = "checkpoint" if room % 2 else "model"
        assert f"{out}/{name}.safetensors cannot be written\n  why: the quota is used up" in said
        assert f"bec-md train tiny.yaml --resume -o {out}" in said
        assert not list(Path(out).glob("*.partial-*"))
        run("train", "tiny.yaml", "-o", out, "-q", "--resume")
        assert weights_of(out) == weights_of("whole"), room


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_training_after_its_step(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    training_files(tmp_path, 50)
    save = Trainer.save

    def disturbed(trainer: Trainer) -> None:
        """Send the signal once the first epoch is stored."""
        save(trainer)
        if not trainer.stop_requested:
            os.kill(os.getpid(), number)

    before = signal.signal(number, signal.SIG_DFL)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(Trainer, "save", disturbed)
            said = run("train", "tiny.yaml", "-o", "out", "--data-root", ".", status=128 + number).stderr
    finally:
        signal.signal(number, before)
    assert "the state of the training is in its checkpoint" in said
    assert "bec-md train tiny.yaml --resume -o out --data-root ." in said
    assert Path("out/model.safetensors").is_file()
