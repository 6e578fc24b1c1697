"""What is compiled at first use is loaded only from folders that nobody else can write to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bec_md.native.cache import UnsafeFolderError, cache_root, may_be_loaded, private_folder
from bec_md.network import native_library


def test_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert cache_root() == Path("/x/bec-md")
    monkeypatch.setenv("BEC_MD_CACHE", "/own")
    assert cache_root() == Path("/own")
    monkeypatch.delenv("BEC_MD_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert cache_root() == Path("/home/somebody/.cache/bec-md")


def test_root_of_a_user_without_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BEC_MD_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 2**31 - 2)  # what a container was told to run as
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert cache_root() == tmp_path / f"bec-md-{os.geteuid()}"
    assert cache_root().stat().st_mode & 0o777 == 0o700


def test_new_folders_are_closed(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        folder = private_folder(tmp_path / "a" / "b")
    finally:
        os.umask(before)
    assert folder.stat().st_mode & 0o777 == 0o700
    library = folder / "library.so"
    assert not may_be_loaded(library)  # nothing there
    library.touch()
    library.chmod(0o777)  # of no consequence: nobody else can reach it
    assert may_be_loaded(library)
    assert private_folder(folder).joinpath("library.so").is_file()


@pytest.mark.parametrize(
    ("of_folder", "of_file", "safe"), [(0o755, 0o644, True), (0o755, 0o666, False), (0o777, 0o644, False)]
)
def test_open_folders(tmp_path: Path, of_folder: int, of_file: int, safe: bool) -> None:
    folder = tmp_path / "cache"
    folder.mkdir()
    library = folder / "library.so"
    library.touch()
    library.chmod(of_file)
    folder.chmod(of_folder)
    assert may_be_loaded(library) is safe
    private_folder(folder)
    assert library.exists() is (of_folder == 0o755)  # emptied where others could have written
    assert not folder.stat().st_mode & 0o022


def test_links_and_folders_of_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir(mode=0o700)
    (theirs / "library.so").touch()
    (tmp_path / "link").symlink_to(theirs)
    assert not may_be_loaded(tmp_path / "link" / "library.so")
    with pytest.raises(UnsafeFolderError, match="is a link"):
        private_folder(tmp_path / "link")
    (theirs / "linked.so").symlink_to(theirs / "library.so")
    assert not may_be_loaded(theirs / "linked.so")
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    if theirs.stat().st_uid != 0:  # root is trusted
        assert not may_be_loaded(theirs / "library.so")
        with pytest.raises(UnsafeFolderError, match="another user"):
            private_folder(theirs)


def test_a_planted_library_is_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of the right name and version in a folder that others may write to."""
    installed = native_library.native_status().path
    assert installed is not None
    wanted = native_library.source_hash()
    folder = tmp_path / f"native-{wanted}-{os.uname().machine}"
    folder.mkdir()
    planted = folder / native_library.LIBRARY_NAME
    planted.write_bytes(installed.read_bytes())
    folder.chmod(0o777)
    monkeypatch.setenv("BEC_MD_CACHE", str(tmp_path))
    monkeypatch.setenv("CXX", "no-such-compiler-anywhere")
    monkeypatch.setattr(native_library, "SOURCE_DIRECTORY", tmp_path)  # nothing installed
    monkeypatch.setattr(native_library, "source_hash", lambda: wanted)
    native_library._located.cache_clear()
    try:
        assert not native_library.native_status().available
        assert not planted.exists()
        native_library._located.cache_clear()
        planted.write_bytes(installed.read_bytes())  # now the folder is closed
        assert native_library.native_status().path == planted
    finally:
        native_library._located.cache_clear()
