from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bec_md.current import load_current
from bec_md.current.parallel import split
from bec_md.current.parts import find_parts
from bec_md.current.store import parts_folder
from bec_md.errors import BecMDWarning, DataError, UsageError

from .test_store import compute, datasets, write_trajectory
from .toy import DyingCharges, RefusingCharges, WavyCharges, oscillators, trajectory


@pytest.fixture(autouse=True)
def importable_toys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers import the charge source of these tests by the name it has here."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))


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
    output = tmp_path / "c.h5"
    killed: list[int] = []

    def kill_one() -> None:
        children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
        while not killed:
            time.sleep(0.005)
            if len(find_parts(parts_folder(output))) >= 2:  # in mid-run
                child = int(children.read_text().split()[0])
                os.kill(child, signal.SIGKILL)
                killed.append(child)

    thread = threading.Thread(target=kill_one, daemon=True)
    thread.start()
    with pytest.warns(BecMDWarning, match="ended with status -9; its frames are computed again"):
        compute(source, output, charges=WavyCharges(delay_s=0.004), workers=2)
    thread.join()
    assert killed
    compute(source, tmp_path / "one.h5")
    assert datasets(output) == datasets(tmp_path / "one.h5")


@pytest.mark.filterwarnings("ignore:a worker ended.*")  # said for each worker that dies on the way
def test_workers_that_always_die_are_given_up_and_what_is_done_is_kept(tmp_path: Path) -> None:
    source = write_trajectory(tmp_path / "t.xyz", 40)
    with pytest.raises(DataError, match="status -9"):
        compute(source, tmp_path / "c.h5", charges=DyingCharges(), workers=2)
    assert load_current(tmp_path / "c.h5").n_frames == 20


def test_an_error_in_a_worker_reaches_the_user(tmp_path: Path) -> None:
    source = write_trajectory(tmp_path / "t.xyz", 40)
    with pytest.raises(DataError, match="frame 20 is bad") as error:
        compute(source, tmp_path / "c.h5", charges=RefusingCharges(), workers=2)
    assert error.value.fix == "leave it out"


def test_what_cannot_be_sent_to_workers_is_refused() -> None:
    class Local(WavyCharges):
        pass

    with pytest.raises(UsageError, match="cannot be sent to other processes"):
        compute(trajectory(oscillators(), 20, 2.0), charges=Local(), workers=2)


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
    shares = split(missing, pieces, block)
    assert len(shares) <= pieces
    rows = sorted(row for share in shares for start, stop in share for row in range(start, stop))
    assert rows == [row for start, stop in missing for row in range(start, stop)]
    ends = {stop for _, stop in missing}
    assert all(stop % block == 0 or stop in ends for share in shares for _, stop in share)
