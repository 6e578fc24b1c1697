from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bec_md.current import load_current
from bec_md.current.cluster import Share, _close, halved, next_piece, split
from bec_md.current.options import CurrentOptions
from bec_md.current.parts import PartsFolder
from bec_md.current.prepare import prepare_current
from bec_md.current.rows import frame_hash
from bec_md.errors import DataError, UsageError
from bec_md.network import load_model
from bec_md.network.registry import model_path
from bec_md.trajectory import ReadOptions
from bec_md.trajectory.joined import Parts

from .test_store import compute, datasets, write_trajectory
from .toy import DyingCharges, RefusingCharges, WavyCharges, oscillators, trajectory


def workers_of(pid: int) -> list[int]:
    """Return the processes that a process has started to work (and not to clean up after them)."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    children = [int(child) for task in threads for child in (task / "children").read_text().split()]
    return [child for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


def runs(pid: int) -> bool:
    """Whether a process is there and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("stride", [1, 3])
def test_workers_give_the_same_bytes_as_one_process(tmp_path: Path, stride: int) -> None:
    source = write_trajectory(tmp_path / "t.xyz", 153)
    compute(source, tmp_path / "one.h5", charge_stride=stride)
    done: list[int] = []
    compute(
        source, tmp_path / "two.h5", charge_stride=stride, workers=2, progress=lambda n, total: done.append(n)
    )
    assert datasets(tmp_path / "two.h5") == datasets(tmp_path / "one.h5")
    assert done[-1] == 153


@pytest.mark.filterwarnings("ignore:.*no velocities.*")  # the midpoint rule is what is tested
def test_midpoints_across_the_cut_between_workers(tmp_path: Path) -> None:
    source = write_trajectory(tmp_path / "t.xyz", 83, velocities=False)
    serial = compute(source)
    parallel = compute(source, workers=2)
    assert np.array_equal(parallel.current, serial.current)
    assert parallel.n_frames == 82


def test_the_block_of_a_killed_worker_is_done_again(tmp_path: Path) -> None:
    source = write_trajectory(tmp_path / "t.xyz", 203)
    killed: list[int] = []

    def kill_one(done: int, total: int | None) -> None:
        if not killed:  # in mid-run
            killed.append(workers_of(os.getpid())[0])
            os.kill(killed[0], signal.SIGKILL)

    compute(source, tmp_path / "c.h5", charges=WavyCharges(delay_s=0.004), workers=2, progress=kill_one)
    assert killed
    compute(source, tmp_path / "one.h5")
    assert datasets(tmp_path / "c.h5") == datasets(tmp_path / "one.h5")


@pytest.mark.filterwarnings("ignore:a worker ended.*")  # said for each worker that dies on the way
def test_workers_that_always_die_are_given_up_and_what_is_done_is_kept(tmp_path: Path) -> None:
    source = write_trajectory(tmp_path / "t.xyz", 40)
    compute(source, tmp_path / "c.h5", stop=10)
    with pytest.raises(DataError, match="end before a chunk is done"):
        compute(source, tmp_path / "c.h5", charges=DyingCharges(), workers=2)
    kept = load_current(tmp_path / "c.h5")  # and what the workers had sent before they died
    assert 10 <= kept.n_frames <= 20
    assert np.array_equal(kept.current, compute(source).current[: kept.n_frames])


def test_an_error_in_a_worker_reaches_the_user(tmp_path: Path) -> None:
    source = write_trajectory(tmp_path / "t.xyz", 40)
    with pytest.raises(DataError, match="frame 20 is bad") as error:
        compute(source, tmp_path / "c.h5", charges=RefusingCharges(), workers=2)
    assert error.value.fix == "leave it out"


def test_what_cannot_be_sent_to_workers_is_refused() -> None:
    class Locked(WavyCharges):
        def __reduce__(self) -> str:
            raise TypeError("cannot be pickled")

    with pytest.raises(UsageError, match="cannot be sent to other processes"):
        compute(trajectory(oscillators(), 20, 2.0), charges=Locked(), workers=2)


@pytest.mark.filterwarnings("ignore")  # distributed warns about ports, garbage collection and the like
def test_a_dask_cluster_with_a_worker_killed_in_mid_run(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    source = write_trajectory(tmp_path / "t.xyz", 153)
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
    ) as cluster:
        victim = next(iter(cluster.workers.values()))
        killed: list[int] = []

        def kill_one(done: int, total: int | None) -> None:
            if not killed:
                killed.append(victim.process.process.pid)
                os.kill(killed[0], signal.SIGKILL)

        compute(
            source,
            tmp_path / "c.h5",
            charges=WavyCharges(delay_s=0.002),
            dask_address=cluster.scheduler_address,
            progress=kill_one,
        )
    assert killed
    compute(source, tmp_path / "one.h5")
    assert datasets(tmp_path / "c.h5") == datasets(tmp_path / "one.h5")


def test_a_cluster_whose_workers_do_not_end_is_closed_without_them() -> None:
    with subprocess.Popen(["sleep", "600"]) as worker:
        nanny = SimpleNamespace(process=SimpleNamespace(process=worker))
        closed: list[int] = []
        cluster = SimpleNamespace(workers={0: nanny}, close=lambda: closed.append(worker.wait()))
        _close(cluster)
    assert closed == [-signal.SIGKILL]


def test_workers_in_another_folder_read_the_same_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for seed, folder in enumerate((here, there)):  # a file of the same name, of another run
        folder.mkdir()
        write_trajectory(folder / "t.xyz", 30, seed=seed)
        (folder / "m.safetensors").write_bytes(model_path(("universal", "silica")[seed]).read_bytes())
    monkeypatch.chdir(here)
    options = (
        {"charges": WavyCharges()},
        {"model": "m.safetensors@pbe"},
        {"model": load_model("m.safetensors")},
    )
    for source in ("t.xyz", Path("t.xyz"), Parts(("t.xyz", "t.xyz"), (0, 30))):
        for option in options if source == "t.xyz" else options[:1]:
            monkeypatch.chdir(here)
            trajectory_options = ReadOptions(timestep_fs=2.0, velocities="none")
            job = prepare_current(source, CurrentOptions(**option), trajectory_options)
            sent = pickle.dumps(job.recipe)
            monkeypatch.chdir(there)
            received = pickle.loads(sent)
            assert received.charges.fingerprint == job.key["charges_hash"]
            assert frame_hash(next(received.trajectory.frames())) == job.key["first_frame_hash"]


@pytest.mark.filterwarnings("ignore")  # distributed warns about ports, garbage collection and the like
def test_a_scheduler_without_workers_is_told_from_workers_that_die(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr("bec_md.current.cluster._START_SECONDS", 0.05)
    source = write_trajectory(tmp_path / "t.xyz", 20)
    with (
        distributed.LocalCluster(
            n_workers=0, processes=False, dashboard_address=None, protocol="tcp://", silence_logs=50
        ) as cluster,
        pytest.raises(DataError, match=r"no worker has come within 0\.05 s"),
    ):
        compute(source, dask_address=cluster.scheduler_address)


def test_an_encrypted_scheduler_needs_certificates(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    dask = pytest.importorskip("dask")
    source = write_trajectory(tmp_path / "t.xyz", 20)
    with pytest.raises(UsageError, match="certificates"):
        compute(source, dask_address="tls://127.0.0.1:1")
    names, file = ("ca-file", "client.cert", "client.key"), str(tmp_path / "none.pem")
    missing = {f"distributed.comm.tls.{name}": file for name in names}
    with dask.config.set(missing), pytest.raises(UsageError, match="No such file"):
        compute(source, dask_address="tls://127.0.0.1:1")


def test_a_worker_that_finds_other_files_says_so(tmp_path: Path) -> None:
    job = prepare_current(
        write_trajectory(tmp_path / "t.xyz", 30),
        CurrentOptions(charges=WavyCharges()),
        ReadOptions(timestep_fs=2.0),
    )
    frame, charges = str(job.key["first_frame_hash"]), str(job.key["charges_hash"])
    with pytest.raises(DataError, match="another source of charges"):
        next_piece(job.recipe, (frame, "x"), "1", 0, 30, 1.0)
    with pytest.raises(DataError, match="no frame for sample 30"):  # it ends before what was promised
        next_piece(job.recipe, (frame, charges), "1", 30, 40, 1.0)
    write_trajectory(tmp_path / "t.xyz", 30, seed=2)
    with pytest.raises(DataError, match="another trajectory"):
        next_piece(pickle.loads(pickle.dumps(job.recipe)), (frame, charges), "1", 0, 30, 1.0)


@settings(deadline=None)
@given(
    st.lists(st.integers(1, 200), min_size=1, max_size=6),
    st.integers(1, 5),
    st.integers(1, 30),
)
def test_work_is_divided_without_loss_or_overlap(lengths: list[int], pieces: int, block: int) -> None:
    missing, position = [], 0
    for length in lengths:
        missing.append((position, position + length))
        position += length + 3
    shares = [Share(start, stop) for start, stop in split(missing, pieces, block)]
    while (half := halved(shares, block)) is not None:
        shares.append(half)
    rows = sorted(row for share in shares for row in range(share.position, share.stop))
    assert rows == [row for start, stop in missing for row in range(start, stop)]
    ends = {stop for _, stop in missing}
    assert all(share.stop % block == 0 or share.stop in ends for share in shares)
    assert max(share.stop - share.position for share in shares) < 4 * block


def test_workers_do_not_run_the_script_that_starts_them(tmp_path: Path) -> None:
    source = write_trajectory(tmp_path / "t.xyz", 30)
    script = tmp_path / "script.py"  # without the guard that multiprocessing asks for
    script.write_text(
        "import bec_md\n"
        "charges = 'fixed:Si=4,O=-2,Li=0'\n"
        f"j = bec_md.compute_current({source!r}, charges=charges, timestep_fs=2.0, workers=2)\n"
        "print(j.n_frames)\n"
    )
    (tmp_path / "h5py.py").write_text("raise SystemExit('imported from the working folder')")
    command = [sys.executable, "-P", str(script)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("30\n", "", 0)


SCRIPT = """
import sys, time
from bec_md.current import compute_current
from tests.current.toy import WavyCharges
print(flush=True)
compute_current(sys.argv[1], charges=WavyCharges(delay_s=0.05), timestep_fs=2.0, output=sys.argv[2],
                workers=2, commit_seconds=0.1)
"""


def test_workers_end_with_their_parent(tmp_path: Path) -> None:
    source = write_trajectory(tmp_path / "t.xyz", 2000)
    parent = subprocess.Popen([sys.executable, "-c", SCRIPT, source, str(tmp_path / "c.h5")])
    try:
        while not any(part.start == 0 for part in PartsFolder(tmp_path / "c.h5").find()):  # they are at work
            assert parent.poll() is None
            time.sleep(0.02)
        workers = workers_of(parent.pid)
    finally:
        parent.kill()
        parent.wait()
    assert len(workers) == 2
    while any(runs(pid) for pid in workers):  # else the test ends by its limit of time
        time.sleep(0.01)
    whole = compute(source)
    kept = load_current(tmp_path / "c.h5")
    assert np.array_equal(kept.current, whole.current[: kept.n_frames])


def test_a_missing_package_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match=r"distributed is not installed") as error:
        compute(trajectory(oscillators(), 20, 2.0), workers=2)
    assert "pip install 'bec-md[dask]'" in error.value.fix


def test_workers_beside_a_cluster_are_refused() -> None:
    with pytest.raises(UsageError, match="`workers=2` beside `dask_address=tcp://s:1`"):
        compute(trajectory(oscillators(), 20, 2.0), workers=2, dask_address="tcp://s:1")
