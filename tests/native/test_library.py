"""Model files that are not right, and the ways to the compiled library."""

from __future__ import annotations

import json
import locale
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from bec_md.errors import DataError
from bec_md.native.build import LIBRARY_NAME, BuildError, build, find_compiler, source_hash
from bec_md.network import native_library
from bec_md.network.native import NativeModel
from tests.native.conftest import ELEMENTS, Reference


def rewrite(source: Path, target: Path, change: Any) -> Path:
    """Copy of a model file after change(tensors, header)."""
    with safe_open(source, framework="np") as stream:
        tensors = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118 (not a mapping)
        header = json.loads(stream.metadata()["bec_md"])
    change(tensors, header)
    save_file(tensors, target, metadata={"bec_md": json.dumps(header)})
    return target


def test_missing_and_broken_files(reference: Reference, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot open model file"):
        NativeModel(tmp_path / "nothing.safetensors", "", ELEMENTS)
    for content in (b"", b"\x00" * 8, b"\xff" * 100, b"\x10\x00\x00\x00\x00\x00\x00\x00not json at all!"):
        (tmp_path / "bad").write_bytes(content)
        with pytest.raises(DataError, match="is not a bec-md model file"):
            NativeModel(tmp_path / "bad", "", ELEMENTS)
    (tmp_path / "short").write_bytes(reference.path.read_bytes()[:-100])
    with pytest.raises(DataError, match="shorter than its header says"):
        NativeModel(tmp_path / "short", "", ELEMENTS)


def test_files_that_do_not_fit(reference: Reference, tmp_path: Path) -> None:
    def load(change: Any) -> None:
        NativeModel(rewrite(reference.path, tmp_path / "changed", change), "", ELEMENTS)

    with pytest.raises(DataError, match=r"layers\.1\.left\.weights\.1e is missing"):
        load(lambda tensors, header: tensors.pop("layers.1.left.weights.1e"))
    with pytest.raises(DataError, match="element has an unexpected shape"):
        load(lambda tensors, header: tensors.update(element=np.zeros((3, 31), dtype=np.float32)))
    with pytest.raises(DataError, match="newer bec-md"):
        load(lambda tensors, header: header.update(schema=99))
    with pytest.raises(DataError, match="l_max = 4"):
        load(lambda tensors, header: header["config"].update(l_max=4))
    with pytest.raises(DataError, match='"mean_neighbors" is missing'):
        load(lambda tensors, header: header["config"].pop("mean_neighbors"))
    with pytest.raises(DataError, match="cutoff_ang = 1000000"):  # tables grow with it
        load(lambda tensors, header: header["config"].update(cutoff_ang=1e6))
    with pytest.raises(DataError, match="no levels of theory"):
        load(lambda tensors, header: (header["config"].update(levels=[]), header["card"].clear()))
    with pytest.raises(DataError, match="contains an infinite number"):  # in the float32 of the evaluator
        load(lambda tensors, header: tensors.update(element=np.full(tensors["element"].shape, 1e300)))


def test_tensors_that_overlap(reference: Reference, tmp_path: Path) -> None:
    """A short file whose header names one place a million times would fill the memory."""
    data = reference.path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    directory = json.loads(data[8 : 8 + length])
    largest = max(
        (entry for name, entry in directory.items() if name != "__metadata__"),
        key=lambda entry: entry["data_offsets"][1] - entry["data_offsets"][0],
    )
    directory |= {f"copy {i}": largest for i in range(40)}
    header = json.dumps(directory).encode()
    (tmp_path / "overlap").write_bytes(len(header).to_bytes(8, "little") + header + data[8 + length :])
    with pytest.raises(DataError, match="its tensors overlap"):
        NativeModel(tmp_path / "overlap", "", ELEMENTS)


def test_unknown_element_and_level(reference: Reference) -> None:
    with pytest.raises(DataError, match="atomic number 26 is unknown") as caught:
        NativeModel(reference.path, "PBE", (8, 26))
    assert "1, 8, 14" in caught.value.why
    with pytest.raises(DataError, match='"LDA" is unknown') as caught:
        NativeModel(reference.path, "LDA", ELEMENTS)
    assert "PBE, r2SCAN" in caught.value.why


def test_without_a_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler-anywhere")
    assert find_compiler() is None
    with pytest.raises(BuildError, match=r"no C\+\+ compiler"):
        build(tmp_path / LIBRARY_NAME)
    monkeypatch.setenv("BEC_MD_CACHE", str(tmp_path))
    monkeypatch.setattr(native_library, "SOURCE_DIRECTORY", tmp_path)  # nothing installed
    native_library._located.cache_clear()
    try:
        status = native_library.native_status()
        assert not status.available
        assert "compiler" in status.reason
        assert "install" in status.fix
        with pytest.raises(RuntimeError, match="not available"):
            native_library.load_library()
    finally:
        native_library._located.cache_clear()


def test_failing_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "broken.cpp").write_text("this is not C++")
    if find_compiler() is None:
        pytest.skip("no C++ compiler")
    with pytest.raises(BuildError, match="failed"):
        build(tmp_path / "out" / LIBRARY_NAME, tmp_path)
    assert not (tmp_path / "out" / LIBRARY_NAME).exists()


def test_library_of_other_sources_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    status = native_library.native_status()
    assert status.path is not None
    assert native_library._open(status.path, source_hash()) is not None
    assert native_library._open(status.path, "other sources") is None
    monkeypatch.setattr(native_library, "ABI", 99)
    assert native_library._open(status.path, source_hash()) is None


def test_numbers_of_a_model_file_in_a_program_that_speaks_german(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reference: Reference
) -> None:
    """Qt and `locale.setlocale(locale.LC_ALL, "")` make the C library want commas."""
    words = ["localedef", "-i", "de_DE", "-f", "UTF-8", str(tmp_path / "de_DE.UTF-8")]
    if (
        shutil.which("localedef") is None
        or subprocess.run(words, check=False, capture_output=True).returncode > 1
    ):
        pytest.skip("there is no German here")
    monkeypatch.setenv("LOCPATH", str(tmp_path))
    before = locale.setlocale(locale.LC_NUMERIC)
    try:
        locale.setlocale(locale.LC_NUMERIC, "de_DE.UTF-8")
    except locale.Error:
        pytest.skip("there is no German here")
    try:
        assert locale.localeconv()["decimal_point"] == ","
        NativeModel(reference.path, "PBE", ELEMENTS)
    finally:
        locale.setlocale(locale.LC_NUMERIC, before)
