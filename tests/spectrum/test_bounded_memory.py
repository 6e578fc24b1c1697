"""Long runs are read in blocks: what a spectrum takes does not depend on their length, and is said before."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from bec_md.current.joined import in_runs
from bec_md.current.lazy_rows import JoinedRows, LazyRows, StoredRows
from bec_md.current.series import CurrentSeries
from bec_md.errors import UsageError
from bec_md.spectrum import Spectrum, compute_spectrum
from bec_md.spectrum.estimators.blocks import open_blocks
from bec_md.spectrum.estimators.estimate import EstimateOptions
from bec_md.spectrum.memory import bytes_needed

from .exact import TEMPERATURE_K, neutral_system

FRAMES = 150_000
#: A block and, on both of its sides, the lags of the window at 20 cm⁻¹ and 2 fs.
MOST_ROWS = 65536 + 2 * 2700


def stored(series: CurrentSeries, path: Path) -> CurrentSeries:
    """The same series with rows that lie in a file."""
    lazy = {}
    with h5py.File(path, "w") as file:
        for name, array in series.time_fields():
            file[name] = array
            lazy[name] = StoredRows(path, name, array.shape)
    return replace(series, **lazy)


@pytest.fixture(scope="module")
def run() -> CurrentSeries:
    series = neutral_system(FRAMES, dt_fs=2.0)
    random, total = np.random.default_rng(5), series.current.sum(axis=1)
    return replace(
        series,
        polarization=2.0 * (np.cumsum(total, axis=0) - 0.5 * total),  # ΔP = ½(J + J′)Δ, as parts continue it
        charge_uncertainty_e=random.uniform(0.01, 0.02, FRAMES),
        eps_inf=np.eye(3) * random.uniform(2.0, 2.1, (FRAMES, 1, 1)),
        metadata={"domain_uncertainty_e": 0.015},
    )


@pytest.fixture(scope="module")
def lazy_run(run: CurrentSeries, tmp_path_factory: pytest.TempPathFactory) -> CurrentSeries:
    return stored(run, tmp_path_factory.mktemp("run") / "current.h5")


@pytest.fixture
def longest_read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Most rows of any read of a file, but of uncertainties: of these a million are sampled (8 MB)."""
    seen = [0]
    read = StoredRows.read

    def counted(self: StoredRows, rows: range) -> Any:
        if self.name != "charge_uncertainty_e":
            seen[0] = max(seen[0], len(rows))
        return read(self, rows)

    monkeypatch.setattr(StoredRows, "read", counted)
    return seen


def assert_same(one: Spectrum, other: Spectrum, rtol: float) -> None:
    for item in fields(one):
        a, b = getattr(one, item.name), getattr(other, item.name)
        if isinstance(a, np.ndarray):
            scale = float(np.abs(a).max(initial=0.0))
            assert np.allclose(a, b, rtol=rtol, atol=rtol * scale, equal_nan=True), item.name
    for name, a in one.static.items():
        assert np.allclose(a, other.static[name], rtol=rtol, atol=rtol), name
    assert [c.status for c in one.quality.checks] == [c.status for c in other.quality.checks]


CHOICES: list[dict[str, Any]] = [
    {"eps_inf": "model", "dc": True},
    {"estimator": "welch", "group_matrix": True},
    {"estimator": "multitaper"},
    {"control_variates": "f-sum", "sum_rule": "equal"},
    {"control_variates": "modes"},
    {"sum_rule": "none", "groups": False},
]


@pytest.mark.parametrize("options", CHOICES, ids=lambda options: next(iter(options.values())))
def test_no_choice_reads_a_whole_run(
    run: CurrentSeries, lazy_run: CurrentSeries, longest_read: list[int], options: dict[str, Any]
) -> None:
    asked = {"temperature_k": TEMPERATURE_K, "resolution_cm": 20.0, **options}
    from_file = compute_spectrum(lazy_run, **asked)
    assert 1000 < longest_read[0] <= MOST_ROWS
    assert_same(
        compute_spectrum(run, **asked), from_file, rtol=0.0
    )  # the same operations on the same numbers


@pytest.mark.parametrize("options", [{}, {"control_variates": "modes"}], ids=["plain", "modes"])
def test_what_is_kept_between_passes_changes_nothing(
    run: CurrentSeries, lazy_run: CurrentSeries, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    """Runs beyond a limit are read again at every pass, and P of rescaled modes is integrated anew."""
    asked = {"temperature_k": TEMPERATURE_K, "resolution_cm": 20.0, **options}
    lazy_run, run = (replace(one, polarization=None) for one in (lazy_run, run))
    kept = compute_spectrum(run, **asked)
    for name in ("blocks.REMEMBERED_FRAMES", "mode_basis.REMEMBERED_FRAMES", "mode_basis.KEPT_NUMBERS"):
        monkeypatch.setattr(f"bec_md.spectrum.estimators.{name}", 0)
    assert_same(kept, compute_spectrum(lazy_run, **asked), rtol=1e-9)  # sums of 10⁵ rows in another order


def test_parts_of_a_run_are_joined_without_reading_them(
    run: CurrentSeries, lazy_run: CurrentSeries, longest_read: list[int]
) -> None:
    whole = compute_spectrum(run, temperature_k=TEMPERATURE_K, resolution_cm=20.0)
    shifted = lazy_run[70_000:]
    moved = shifted.polarization[0:FRAMES] + 3.0  # another program begins at another branch
    longest_read[0] = 0
    (joined,) = in_runs([replace(shifted, polarization=moved), lazy_run[:70_000]], ["late", "early"])
    assert longest_read[0] < 100
    assert isinstance(joined.current, JoinedRows)
    assert np.array_equal(joined.current[69_990:70_010], run.current[69_990:70_010])
    assert_same(whole, compute_spectrum(joined, temperature_k=TEMPERATURE_K, resolution_cm=20.0), rtol=1e-9)
    assert longest_read[0] <= MOST_ROWS


def test_rows_are_those_of_an_array(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    array = random.normal(size=(103, 2, 3))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = array
    rows = StoredRows(tmp_path / "a.h5", "x", array.shape)
    joined = JoinedRows((rows.part(slice(0, 30)), array[30:35], rows.part(slice(35, None))))
    for _ in range(300):
        ends = [int(random.integers(-110, 110)) for _ in range(4)]
        step, again = int(random.choice([1, 2, 7, -1, -5])), int(random.choice([1, 3]))
        asked, then = slice(*ends[:2], step), slice(*ends[2:], again)
        for lazy in (rows, joined):
            assert np.array_equal(lazy[asked], array[asked])
            assert np.array_equal(lazy[asked, 0, 1:], array[asked, 0, 1:])
            if step > 0:
                part = lazy.part(asked)
                assert isinstance(part, LazyRows)
                assert part.shape == array[asked].shape
                assert np.array_equal(part[then], array[asked][then])
    assert np.array_equal(joined[-3], array[-3])
    assert np.array_equal(np.asarray(joined), array)
    with pytest.raises(IndexError):
        rows[103]


# ---------------------------------------------------------------------- what is said before
@pytest.mark.parametrize("options", [{}, {"estimator": "welch"}, {"groups": False}], ids=str)
def test_the_need_is_known_before(options: dict[str, Any]) -> None:
    """Arrays of NumPy, without the buffers of its transforms, take a third or more of what is announced."""
    series = neutral_system(30_000)
    chosen = {"resolution_cm": 2.0, "estimator": "lag", **options}
    blocks = open_blocks((series,), "mass")
    announced = bytes_needed(blocks, EstimateOptions(**chosen)) - bytes_needed(
        blocks, EstimateOptions(**{**chosen, "resolution_cm": 1000.0})
    )
    compute_spectrum(series[:2000], temperature_k=TEMPERATURE_K, **{**chosen, "resolution_cm": 1000.0})
    peaks = []  # imports are done
    for resolution in (1000.0, 2.0):
        tracemalloc.start()
        compute_spectrum(series, temperature_k=TEMPERATURE_K, **{**chosen, "resolution_cm": resolution})
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert announced / 3.0 < peaks[1] - peaks[0] < announced


def test_a_spectrum_that_does_not_fit_is_refused_unread(
    lazy_run: CurrentSeries, longest_read: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bec_md.memory.available_bytes", lambda: 250_000_000)
    asked = {"temperature_k": TEMPERATURE_K, "sum_rule": "none"}
    longest_read[0] = 0
    with pytest.raises(UsageError, match=r"0\.5 cm⁻¹ needs about 0\.\d+ GB of memory, 0\.25 GB are free"):
        compute_spectrum(lazy_run, resolution_cm=0.5, **asked)
    assert longest_read[0] < 20_000  # averages alone
    assert compute_spectrum(lazy_run, resolution_cm=20.0, **asked).wavenumber_cm.size > 100


def test_limits_of_the_process_are_seen() -> None:
    script = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30)); "
        "from bec_md.memory import available_bytes as a; b = a(); assert 0 < b < 3 << 30, b"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
