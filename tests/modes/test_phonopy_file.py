"""phonopy looks for forces in the working folder, which all threads share."""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bec_md.errors import DataError
from bec_md.modes.phonopy_file import read_phonopy


def test_threads_take_the_forces_of_their_own_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(name: str, **_: Any) -> None:
        time.sleep(0.02)  # long enough for another thread to change the folder
        raise RuntimeError(f"{Path(name).read_text()} with {Path('FORCE_SETS').read_text()}")

    monkeypatch.setitem(sys.modules, "phonopy", SimpleNamespace(load=load))
    monkeypatch.chdir(tmp_path)
    for crystal in "abcd":
        Path(crystal).mkdir()
        Path(crystal, "phonopy.yaml").write_text(crystal)
        Path(crystal, "FORCE_SETS").write_text(f"forces of {crystal}")

    def said(crystal: str) -> str:
        with pytest.raises(DataError) as told:
            read_phonopy(f"{crystal}/phonopy.yaml")
        return str(told.value)

    with ThreadPoolExecutor(4) as pool:
        for crystal, text in zip("abcd", pool.map(said, "abcd"), strict=True):
            assert f"{crystal} with forces of {crystal}" in text
    assert Path.cwd() == tmp_path
