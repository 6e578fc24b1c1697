from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from ase.io import write

from bec_md.current import CurrentSeries, compute_current, is_current_file, load_current
from bec_md.current.job import NOT_IN_KEY
from bec_md.current.options import CurrentOptions
from bec_md.current.parts import FRAME_HASH, PartsFolder, covered, gaps
from bec_md.current.prepare import prepare_current
from bec_md.current.store import CurrentStore
from bec_md.current.stride import StrideChoice
from bec_md.errors import DataError, UsageError
from bec_md.hdf5 import open_hdf5
from bec_md.trajectory import ReadOptions
from tests import forked

from .toy import WavyCharges, oscillators, trajectory

KILL_LOOP = Path(__file__).with_name("kill_loop.py")


def write_trajectory(path: Path, n_frames: int, *, velocities: bool = True, seed: int = 1) -> str:
    frames = trajectory(oscillators(seed), n_frames, 2.0, velocities=velocities)
    write(path, frames, format="extxyz", append=False)
    return str(path)


def compute(source: str, output: Path | None = None, **options: object) -> CurrentSeries:
    arguments = {"charges": WavyCharges(), "timestep_fs": 2.0, "batch": 5, "commit_seconds": 0.0} | options
    return compute_current(source, output=output, **arguments)


def datasets(path: Path) -> dict[str, bytes]:
    with h5py.File(path) as file:
        return {name: file[name][()].tobytes() for name in file}


def same_numbers(one: CurrentSeries, other: CurrentSeries) -> None:
    fields = dict(one.time_fields())
    assert fields.keys() == dict(other.time_fields()).keys()
    for name, values in fields.items():
        rtol = 1e-6 if values.dtype == np.float64 else 0.0  # statistics are stored in single precision
        assert np.allclose(values, getattr(other, name), rtol=rtol, atol=0.0, equal_nan=True), name
    assert np.array_equal(one.current, other.current)


def with_header(path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """Copy of a file whose header is what `change` returns: a text, or what becomes one."""
    copy = path.with_name("damaged.h5")
    copy.write_bytes(path.read_bytes())
    with h5py.File(copy, "r+") as file:
        changed = change(json.loads(file.attrs["bec_md_current"]))
        file.attrs["bec_md_current"] = changed if isinstance(changed, str) else json.dumps(changed)
    return copy


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda _: "{nope", "its header is damaged"),
        (lambda _: '{"a":' * 20000 + "1" + "}" * 20000, "its header is damaged"),
        (lambda _: [1, 2], r"its header is \[1, 2\]"),
        (lambda h: h | {"schema": "x"}, "schema is 'x'"),
        (lambda h: h | {"schema": 99}, "was written by a newer bec-md"),
        (lambda h: h | {"system": "text"}, "system is 'text'"),
        (lambda h: h | {"averages": {"com_speed2": float("nan")}}, "averages.com_speed2 is nan"),
        (lambda h: h | {"system": h["system"] | {"total_charge_e": float("nan")}}, "total_charge_e is nan"),
        (lambda h: h | {"system": h["system"] | {"group_count": [1e30, 4, 4]}}, r"group_count.0 is 1e\+30"),
        (lambda h: h | {"system": h["system"] | {"group_mass_amu": [1.0]}}, "system is"),
        (lambda h: {n: v for n, v in h.items() if n != "key"}, "key is"),
    ],
)
def test_a_damaged_header_is_named(tmp_path: Path, change: Any, message: str) -> None:
    compute(write_trajectory(tmp_path / "t.xyz", 8), tmp_path / "c.h5")
    with pytest.raises(DataError, match=message) as error:
        load_current(with_header(tmp_path / "c.h5", change))
    assert "damaged.h5" in error.value.what
    assert error.value.fix


@pytest.mark.parametrize("kind", ["link", "external", "virtual"])
def test_numbers_of_another_file_are_refused(tmp_path: Path, kind: str) -> None:
    compute(write_trajectory(tmp_path / "t.xyz", 8), tmp_path / "c.h5")
    shutil.copy(tmp_path / "c.h5", tmp_path / "other.h5")
    with h5py.File(tmp_path / "c.h5", "r+") as file:
        shape = file["current"].shape
        del file["current"]
        if kind == "link":
            file["current"] = h5py.ExternalLink("other.h5", "/current")
        elif kind == "external":
            places = [(str(tmp_path / "t.xyz"), 0, h5py.h5f.UNLIMITED)]
            file.create_dataset("current", shape, "f8", external=places)
        else:
            layout = h5py.VirtualLayout(shape, "f8")
            layout[:] = h5py.VirtualSource("other.h5", "current", shape)
            file.create_virtual_dataset("current", layout)
    with pytest.raises(DataError, match=r"c\.h5: current lies in another file"):
        load_current(tmp_path / "c.h5")


def test_an_announced_size_is_compared_with_what_is_stored(tmp_path: Path) -> None:
    compute(write_trajectory(tmp_path / "t.xyz", 8), tmp_path / "c.h5")
    with h5py.File(tmp_path / "c.h5", "r+") as file:
        for name in list(file):
            shape, dtype = file[name].shape, file[name].dtype
            del file[name]
            file.create_dataset(name, (10**9, *shape[1:]), dtype, chunks=(4096, *shape[1:]))
    with pytest.raises(DataError, match=r"c\.h5: \w+ announces \d+ MiB in 1 bytes"):
        load_current(tmp_path / "c.h5")


@pytest.mark.parametrize(("velocities", "stride"), [(True, 1), (False, 3)])
def test_killed_again_and_again_gives_the_same_bytes(tmp_path: Path, velocities: bool, stride: int) -> None:
    source = write_trajectory(tmp_path / "t.xyz", 133, velocities=velocities)
    output = tmp_path / "killed.h5"
    result = forked.run([KILL_LOOP, source, output, str(stride), "3"])
    assert result.returncode == 0, result.stderr
    kills = int(result.stdout.split()[0])
    assert kills >= 2
    whole = tmp_path / "whole.h5"
    with pytest.warns() if not velocities else _nothing():
        compute(source, whole, charge_stride=stride)
    assert datasets(output) == datasets(whole)
    assert not PartsFolder(output).path.exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["killed.h5", "t.xyz", "whole.h5"]


class _nothing:  # noqa: N801 - a context manager by the name of what it does
    def __enter__(self) -> None: ...
    def __exit__(self, *error: object) -> None: ...


def test_stored_and_computed_in_memory_are_the_same(tmp_path: Path) -> None:
    source = write_trajectory(tmp_path / "t.xyz", 40)
    stored = compute(source, tmp_path / "c.h5")
    same_numbers(stored, compute(source))
    same_numbers(load_current(tmp_path / "c.h5"), stored)
    assert is_current_file(tmp_path / "c.h5")
    assert not is_current_file(source)
    assert stored.metadata["complete"]
    assert stored.metadata["source"] == "t.xyz"


def test_an_unchanged_run_computes_nothing_again(tmp_path: Path) -> None:
    source = write_trajectory(tmp_path / "t.xyz", 30)
    compute(source, tmp_path / "c.h5")
    before = (tmp_path / "c.h5").read_bytes()

    class Broken(WavyCharges):
        def evaluate(self, frames: object) -> None:
            raise AssertionError("nothing is left to evaluate")

    compute(source, tmp_path / "c.h5", charges=Broken())
    assert (tmp_path / "c.h5").read_bytes() == before


@pytest.mark.parametrize("stride", [1, 3])
def test_a_trajectory_that_has_grown_is_continued(tmp_path: Path, stride: int) -> None:
    source = write_trajectory(tmp_path / "t.xyz", 48)
    compute(source, tmp_path / "c.h5", charge_stride=stride)
    write_trajectory(tmp_path / "t.xyz", 101)
    compute(source, tmp_path / "c.h5", charge_stride=stride)
    compute(source, tmp_path / "whole.h5", charge_stride=stride)
    assert datasets(tmp_path / "c.h5") == datasets(tmp_path / "whole.h5")


def test_a_stored_current_serves_a_shorter_run(tmp_path: Path) -> None:
    source, output = write_trajectory(tmp_path / "t.xyz", 60), tmp_path / "long.h5"
    compute(source, output)
    before = datasets(output)
    short = compute(source, output, stop=25)
    alone = compute(source, stop=25)
    assert short.n_frames == alone.n_frames == 25
    same_numbers(short, alone)
    for one, other in zip(short.zz_sum("mass"), alone.zz_sum("mass"), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)  # statistics are stored in single precision
    assert datasets(output) == before


def test_another_trajectory_under_the_same_name_is_refused(tmp_path: Path) -> None:
    source = write_trajectory(tmp_path / "t.xyz", 20)
    compute(source, tmp_path / "c.h5")
    write_trajectory(tmp_path / "t.xyz", 30, seed=5)
    with pytest.raises(UsageError, match=r"c\.h5 holds another computation: other first frame"):
        compute(source, tmp_path / "c.h5")
    same_numbers(compute(source, tmp_path / "c.h5", overwrite=True), compute(source))


def test_other_options_are_refused_by_name(tmp_path: Path) -> None:
    source = write_trajectory(tmp_path / "t.xyz", 20)
    compute(source, tmp_path / "c.h5")
    before = (tmp_path / "c.h5").read_bytes()
    with pytest.raises(UsageError, match=r"timestep fs was 2.0, now 1.95") as error:
        compute(source, tmp_path / "c.h5", timestep_fs=1.95, charges="fixed:Si=4,O=-2,Li=1")
    assert "charges was wavy, now fixed:" in str(error.value)
    assert "`overwrite`" in error.value.fix
    assert (tmp_path / "c.h5").read_bytes() == before


@pytest.mark.parametrize("what", ["positions", "velocities"])
@pytest.mark.parametrize("grown", [False, True])
def test_a_frame_that_changed_in_the_middle_is_noticed(tmp_path: Path, what: str, grown: bool) -> None:
    frames = trajectory(oscillators(), 60, 2.0)
    path = tmp_path / "t.xyz"
    write(path, frames, format="extxyz")
    compute(str(path), tmp_path / "c.h5")
    frames = trajectory(oscillators(), 80 if grown else 60, 2.0)
    if what == "positions":
        frames[31].positions[3] += 0.001
    else:
        frames[31].set_velocities(1.001 * frames[31].get_velocities())
    write(path, frames, format="extxyz")
    with pytest.raises(UsageError, match=r"c\.h5 was computed from another trajectory") as error:
        compute(str(path), tmp_path / "c.h5")
    assert "frame 31" in error.value.why


def test_the_same_frames_in_a_touched_file_are_not_computed_again(tmp_path: Path) -> None:
    source = write_trajectory(tmp_path / "t.xyz", 30)
    compute(source, tmp_path / "c.h5")
    os.utime(source, (0, 0))

    class Broken(WavyCharges):
        def evaluate(self, frames: object) -> None:
            raise AssertionError("nothing is left to evaluate")

    compute(source, tmp_path / "c.h5", charges=Broken())
    compute(source, tmp_path / "d.h5")
    assert datasets(tmp_path / "c.h5") == datasets(tmp_path / "d.h5")


def test_a_default_that_is_spelled_out_is_the_same_computation(tmp_path: Path) -> None:
    source, output = write_trajectory(tmp_path / "t.xyz", 20), tmp_path / "c.h5"
    compute(source, output)
    before = datasets(output)
    compute(source, output, format="extxyz", velocity_units="ase", need_velocities=True)
    assert datasets(output) == before
    # Other frames are another computation.
    with pytest.raises(UsageError, match=r"other first frame.*velocity units was absent, now ase"):
        compute(source, output, velocity_units="ase", start=1)
    with h5py.File(output, "r+") as file:
        del file[FRAME_HASH]  # then nothing can be compared
    with pytest.raises(UsageError, match=r"holds another computation: format was absent, now extxyz"):
        compute(source, output, format="extxyz")


def test_every_option_is_part_of_the_key_unless_it_is_named() -> None:
    names = {item.name for kind in (ReadOptions, CurrentOptions) for item in fields(kind)}
    assert names >= NOT_IN_KEY
    frames = trajectory(oscillators(), 4, 2.0)
    job = prepare_current(frames, CurrentOptions(charges=WavyCharges()), ReadOptions(timestep_fs=2.0))
    assert names - NOT_IN_KEY <= job.key.keys()


def test_damaged_files_are_named(tmp_path: Path) -> None:
    source = write_trajectory(tmp_path / "t.xyz", 40)
    compute(source, tmp_path / "c.h5")
    whole = (tmp_path / "c.h5").read_bytes()
    (tmp_path / "cut.h5").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"cut\.h5 cannot be read"):
        load_current(tmp_path / "cut.h5")
    with h5py.File(tmp_path / "c.h5") as file:
        place = file["current"].id.get_chunk_info(0).byte_offset
    flipped = bytearray(whole)
    flipped[place + 100] ^= 1
    (tmp_path / "flipped.h5").write_bytes(bytes(flipped))
    with pytest.raises(DataError, match=r"flipped\.h5 cannot be read"):
        load_current(tmp_path / "flipped.h5", lazy=False)


@pytest.mark.parametrize("kind", ["int64", "complex128", "S4"])
def test_numbers_of_another_kind_are_named(tmp_path: Path, kind: str) -> None:
    compute(write_trajectory(tmp_path / "t.xyz", 8), tmp_path / "c.h5")
    with h5py.File(tmp_path / "c.h5", "r+") as file:
        shape = file["current"].shape
        del file["current"]
        file["current"] = np.zeros(shape, kind)
    with pytest.raises(DataError, match=r"c\.h5: current holds \w+ numbers"):
        load_current(tmp_path / "c.h5")


def test_foreign_files_are_never_overwritten(tmp_path: Path) -> None:
    source = write_trajectory(tmp_path / "t.xyz", 5)
    foreign = tmp_path / "thesis.h5"
    with h5py.File(foreign, "w") as file:
        file["chapter"] = [1.0]
    for overwrite in (False, True):
        with pytest.raises(UsageError, match=r"thesis.h5 exists and is not a current file"):
            compute(source, foreign, overwrite=overwrite)
    with pytest.raises(DataError, match="not a current file"):
        load_current(foreign)
    with pytest.raises(UsageError, match="no folder"):
        compute(source, tmp_path / "absent" / "c.h5")
    with pytest.raises(UsageError, match="no such file"):
        load_current(tmp_path / "absent.h5")


def test_bad_data_in_the_middle_lose_nothing_before_it(tmp_path: Path) -> None:
    frames = trajectory(oscillators(), 60, 2.0)
    whole = compute_current(frames, charges=WavyCharges(), timestep_fs=2.0, batch=5)

    class Failing(WavyCharges):
        def evaluate(self, frames: list) -> object:
            if any(frame.index == 42 for frame in frames):
                raise DataError("frame 42 is bad", "it was made so", "leave it out")
            return super().evaluate(frames)

    with pytest.raises(DataError, match="frame 42 is bad"):
        compute_current(
            frames, charges=Failing(), timestep_fs=2.0, batch=5, output=tmp_path / "c.h5", commit_seconds=60.0
        )
    kept = load_current(tmp_path / "c.h5")
    assert kept.n_frames == 40  # all batches before the bad one
    assert not kept.metadata["complete"]
    assert np.array_equal(kept.current, whole.current[:40])
    compute_current(frames, charges=WavyCharges(), timestep_fs=2.0, batch=5, output=tmp_path / "c.h5")
    assert np.array_equal(load_current(tmp_path / "c.h5").current, whole.current)


def test_a_run_in_progress_can_be_analyzed(tmp_path: Path) -> None:
    source = write_trajectory(tmp_path / "t.xyz", 40)
    seen: list[int] = []

    def look(done: int, total: int | None) -> None:
        seen.append(load_current(tmp_path / "c.h5").n_frames)

    compute(source, tmp_path / "c.h5", progress=look)
    assert seen == list(range(5, 45, 5))


def test_two_writers_of_one_file_are_refused(tmp_path: Path) -> None:
    source = write_trajectory(tmp_path / "t.xyz", 20)

    def second(done: int, total: int | None) -> None:
        with pytest.raises(UsageError, match="another process is writing"):
            compute(source, tmp_path / "c.h5")

    compute(source, tmp_path / "c.h5", progress=second)


def test_lazily_read_rows_behave_like_arrays(tmp_path: Path) -> None:
    source = write_trajectory(tmp_path / "t.xyz", 40)
    compute(source, tmp_path / "c.h5")
    memory, lazy = load_current(tmp_path / "c.h5", lazy=False), load_current(tmp_path / "c.h5", lazy=True)
    assert not isinstance(lazy.current, np.ndarray)
    for index in (
        slice(3, 9),
        slice(None),
        slice(30, 99),
        slice(-5, None),
        slice(2, 30, 7),
        4,
        (slice(2, 5), 1),
    ):
        assert np.array_equal(lazy.current[index], memory.current[index]), index
    for rule in ("mass", "equal", "none"):
        assert np.array_equal(lazy.partial(rule), memory.partial(rule))
        assert np.array_equal(lazy[7:33:2].total(rule), memory[7:33:2].total(rule))
        assert np.array_equal(lazy[5:][::3][1:].total(rule), memory[5:][::3][1:].total(rule))
    assert lazy[7:].volume_ang3 == pytest.approx(memory[7:].volume_ang3, rel=1e-14)
    same_numbers(lazy.load(), memory)


def test_no_names_of_users_or_hosts_are_stored(tmp_path: Path) -> None:
    source = write_trajectory(tmp_path / "t.xyz", 10)
    compute(source, tmp_path / "c.h5")
    with h5py.File(tmp_path / "c.h5") as file:
        header = json.loads(file.attrs["bec_md_current"])
    assert str(tmp_path) not in json.dumps(header)


def test_intervals() -> None:
    assert covered([(5, 8), (0, 3), (2, 5), (10, 12)]) == [(0, 8), (10, 12)]
    assert gaps([(2, 4), (6, 8)], 10) == [(0, 2), (4, 6), (8, 10)]
    assert gaps([(0, 4)], None) == [(4, None)]
    assert gaps([(0, 4)], 4) == []


@pytest.mark.slow
def test_a_long_series_is_read_in_bounded_memory(tmp_path: Path) -> None:
    """300,000 frames × 10 groups: 590 MB on disk."""
    import resource

    groups, rows, count = 10, 50_000, 6
    system = {
        "groups": [f"g{i}" for i in range(groups)], "timestep_fs": 1.0, "scheme": "velocity",
        "group_mass_amu": [16.0] * groups, "group_count": [10] * groups,
        "group_inverse_mass": [6.25] * groups, "total_charge_e": 0.0, "start_time_fs": 0.0,
    }  # fmt: skip
    header = {"key": {}, "input": {}, "system": system, "metadata": {}}
    part = {
        name: np.ones((rows, groups, *tail))
        for name, tail in {
            "current": (3,), "charge_sum": (3, 3), "momentum": (3,), "velocity_sum": (3,),
            "zz_over_mass": (3, 3), "kinetic_energy_ev": (),
        }.items()
    } | {"cells_ang": np.broadcast_to(np.eye(3), (rows, 3, 3))}  # fmt: skip
    with CurrentStore.writing(tmp_path / "c.h5", header) as store:
        for number in range(count):
            store.write(number * rows, part)
        store.join(complete=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    series = load_current(tmp_path / "c.h5")
    assert series.partial("mass").shape == (rows * count, groups, 3)  # 72 MB
    assert series.zz_sum() is not None
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 200_000  # kB


def test_a_file_that_another_program_is_writing_is_not_called_damaged(tmp_path: Path) -> None:
    path = tmp_path / "c.h5"
    compute(write_trajectory(tmp_path / "t.xyz", 20), path)
    with path.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(DataError, match=r"c\.h5 is being written by another program"):
            load_current(path)
    assert load_current(path).n_frames == 20


def test_a_stride_that_was_chosen_stays_when_the_run_has_grown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the frames that came later another one would be chosen: that is no other computation."""
    path, source = tmp_path / "c.h5", tmp_path / "t.xyz"
    chosen = {"charge_stride": "auto", "charge_tolerance": 0.05}
    for frames, stride in ((40, 4), (60, 3)):
        monkeypatch.setattr(
            "bec_md.current.stride.choose_stride", lambda *_, n=stride: StrideChoice(n, 0.01, 0.01, 0.05)
        )
        grown = compute(write_trajectory(source, frames), path, **chosen)
    whole = compute(str(source), charge_stride=4)
    same_numbers(grown, whole)
    assert grown.metadata["charge_stride"] == 4
    with pytest.raises(UsageError, match="charge stride was 4, now 3"):
        compute(str(source), path, **(chosen | {"charge_tolerance": 0.01}))


@pytest.mark.parametrize("look", [3, 4])  # at the list of the parts, at the parts
def test_a_reader_at_the_moment_when_parts_are_joined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, look: int
) -> None:
    """The writer removes its parts between two looks of a reader; all rows are in the file then."""
    live, whole = tmp_path / "live.h5", tmp_path / "whole.h5"

    def so_far(done: int, total: int | None) -> None:
        shutil.copytree(f"{whole}.parts", f"{live}.parts", dirs_exist_ok=True)

    series = compute(write_trajectory(tmp_path / "t.xyz", 40), whole, progress=so_far)
    looks: list[int] = []

    def joining(call: Any) -> Any:
        def watched(*arguments: Any) -> Any:
            looks.append(1)
            if len(looks) == look:
                shutil.copy(whole, live)
                shutil.rmtree(f"{live}.parts")
            return call(*arguments)

        return watched

    monkeypatch.setattr(PartsFolder, "find", joining(PartsFolder.find))
    monkeypatch.setattr("bec_md.current.file.open_hdf5", joining(open_hdf5))
    assert np.array_equal(load_current(live).current, series.current)


def test_a_finished_current_is_read_by_several_at_once(tmp_path: Path) -> None:
    """Spectra of one trajectory in parallel: nothing is written, so that nobody has to wait."""
    path, source = tmp_path / "c.h5", write_trajectory(tmp_path / "t.xyz", 20)
    whole = compute(source, path)
    with PartsFolder(path).lock():
        assert np.array_equal(compute(source, path).current, whole.current)
        assert compute(source, path, stop=10).n_frames == 10
        for other in ({"stride": 2}, {"overwrite": True}):
            with pytest.raises(UsageError, match=r"another process is writing c\.h5|another computation"):
                compute(source, path, **other)
        write_trajectory(tmp_path / "t.xyz", 30)
        with pytest.raises(UsageError, match=r"another process is writing c\.h5"):
            compute(source, path)
