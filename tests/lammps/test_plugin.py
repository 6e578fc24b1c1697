"""Finding LAMMPS, compiling the plugin, and the entry point that LAMMPS asks."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from bec_md.errors import DataError, UsageError
from bec_md.lammps import build, check, installation
from bec_md.lammps.plugins import plugin_directory


def test_key_depends_on_source_version_and_flags(plugin: Path) -> None:
    headers = installation.installed_headers()
    assert headers is not None
    key = build.build_key(headers)
    other = installation.LammpsHeaders(headers.source, headers.include, headers.mpi_include, 20240829)
    bundled = build.build_key(headers, bundled=True)
    assert len({key, build.build_key(other), build.build_key(headers, ["-DX"]), bundled}) == 4
    assert (plugin.parent / build.KEY_NAME).read_text() in (key, bundled)


def test_bundled_plugin_may_be_compiled_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A wheel is built beside another copy of LAMMPS than the one it serves."""
    headers = installation.installed_headers()
    assert headers is not None
    there = installation.LammpsHeaders("build environment", tmp_path, None, headers.version)
    assert build.build_key(there, bundled=True) == build.build_key(headers, bundled=True)
    monkeypatch.setenv("BEC_MD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(build, "BUNDLED_FOLDER", tmp_path)
    (tmp_path / build.PLUGIN_NAME).touch()
    (tmp_path / build.KEY_NAME).write_text(build.build_key(there, bundled=True))
    assert build.ready_plugin(headers) == tmp_path / build.PLUGIN_NAME
    newer = installation.LammpsHeaders("another release", tmp_path, None, headers.version + 1)
    assert build.ready_plugin(newer) is None


def test_nothing_but_the_entry_function_is_visible(plugin: Path) -> None:
    """LAMMPS loads plugins with RTLD_GLOBAL: two of them must not mix their symbols."""
    done = subprocess.run(["nm", "-D", "--defined-only", plugin], capture_output=True, text=True, check=True)
    assert [line.split()[-1] for line in done.stdout.splitlines()] == ["lammpsplugin_init"]


def test_links_neither_torch_nor_lammps_nor_mpi(plugin: Path) -> None:
    done = subprocess.run(["readelf", "-d", plugin], capture_output=True, text=True, check=True)
    needed = [line for line in done.stdout.splitlines() if "NEEDED" in line]
    assert needed
    assert not any(word in line for line in needed for word in ("torch", "lammps", "mpi", "python"))


def test_entry_point_is_quick_and_light(plugin: Path) -> None:
    code = (
        "import sys; from bec_md.lammps.plugins import plugin_directory; print(plugin_directory());"
        "print([m for m in ('torch', 'numpy', 'scipy', 'lammps') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [str(plugin.parent), "[]"]


def test_entry_point_is_declared() -> None:
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    assert '[project.entry-points."lammps.plugins"]' in text
    assert "bec_md.lammps.plugins:plugin_directory" in text


def test_entry_point_never_raises(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("BEC_MD_CACHE", str(tmp_path))
    monkeypatch.setattr(build, "BUNDLED_FOLDER", tmp_path / "none")
    monkeypatch.setenv("CXX", "no-such-compiler")
    folder = plugin_directory()
    assert not list(Path(folder).glob("*plugin.so"))
    message = capsys.readouterr().err
    assert "fix bec is not available" in message
    assert "apt install g++" in message


def test_bare_lmp_in_a_clean_environment(plugin: Path, models: dict[str, Path], tmp_path: Path) -> None:
    """No variable is needed: LAMMPS finds the plugin through the entry point."""
    if not any(point.name == "bec-md" for point in metadata.entry_points(group="lammps.plugins")):
        pytest.skip("bec-md is not installed, only on the path")
    (tmp_path / "in.lammps").write_text(
        "units metal\nregion b block 0 5 0 5 0 5\ncreate_box 3 b\ncreate_atoms 1 single 1 1 1\n"
        "mass 1 28.085\nmass 2 15.999\nmass 3 1.008\n"
        f"fix bec all bec {models['two_layers']} Si O H\nrun 0\n"
    )
    where = ("HOME", "PYTHONPATH", "BEC_MD_CACHE", "XDG_CACHE_HOME")  # of this package and of the plugin
    kept = {key: os.environ[key] for key in where if key in os.environ}
    command = [str(Path(sys.prefix) / "bin" / "lmp"), "-in", "in.lammps", "-log", "none"]
    done = subprocess.run(command, cwd=tmp_path, env=kept, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-1000:]


def test_headers_of_a_lammps_of_ones_own(tmp_path: Path) -> None:
    source = tmp_path / "lammps" / "src"
    source.mkdir(parents=True)
    for name in installation.MARKER_HEADERS:
        (source / name).touch()
    (source / "version.h").write_text('#define LAMMPS_VERSION "29 Aug 2024"\n')
    headers = installation.headers_in(tmp_path / "lammps")
    assert headers.include == source
    assert headers.version == 20240829
    with pytest.raises(UsageError, match="no LAMMPS headers"):
        installation.headers_in(tmp_path)


def test_compiler_errors_are_told(tmp_path: Path) -> None:
    headers = installation.LammpsHeaders("nowhere", tmp_path, None, 0)
    with pytest.raises(DataError, match="compiler failed"):
        build.build_plugin(headers, tmp_path / "out", ["-fsyntax-only", "-include", "no_such_header.h"])
    assert "no_such_header.h" in (tmp_path / "out" / build.LOG_NAME).read_text()


@pytest.mark.parametrize(
    ("end", "said"),
    [
        ("kill -TERM $$", "compiler was stopped"),  # as by Ctrl-C, which a run in the background ignores
        (
            "echo 'g++: fatal error: Killed signal terminated program cc1plus' >&2; exit 1",
            "compiler was stopped",
        ),
        ("exit 0", "wrote no bec_plugin.so"),
    ],
)
def test_a_compiler_that_was_stopped_may_try_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str, said: str
) -> None:
    """Ctrl-C reaches the compiler, too: that is no reason to refuse the same source for ever."""
    compiler = tmp_path / "g++"
    compiler.write_text(f"#!/bin/sh\n{end}\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("CXX", str(compiler))
    headers = installation.LammpsHeaders("nowhere", tmp_path, None, 0)
    with pytest.raises(DataError, match=said):
        build.build_plugin(headers, tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_check_reports_in_plain_words(plugin: Path, models: dict[str, Path]) -> None:
    found = {item.subject: item for item in check.check_installation(str(models["two_layers"]))}
    for subject in ("LAMMPS", "MPI", "plugin", "model", "torch", "threads"):
        assert found[subject].state == "ok", found[subject]
    assert "3 elements, cutoff 4" in found["model"].text
    installed = any(point.name == "bec-md" for point in metadata.entry_points(group="lammps.plugins"))
    assert (found["fix bec"].state == "ok") is installed
