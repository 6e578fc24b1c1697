"""Help, version, completion: quick, and without heavy imports."""

from __future__ import annotations

import runpy
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from ase.io import write

from bec_md.cli import main
from bec_md.native.build import find_compiler
from tests.cli.conftest import Run
from tests.current.toy import oscillators, trajectory

COMMANDS = (
    "spectrum", "current", "plot", "predict", "evaluate", "train", "collect", "models", "info", "plan",
    "validate", "cite", "lammps", "compare", "modes", "compile", "bench",
)  # fmt: skip
HEAVY = ("torch", "matplotlib", "scipy", "numpy", "ase", "MDAnalysis", "h5py", "e3nn")

QUARTZ = Path(__file__).parents[2] / "examples/quartz/quartz_300K.npz"


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)


@pytest.mark.parametrize("arguments", [["--help"], ["spectrum", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom bec_md.cli.app import app\n"
        f"try:\n    app({arguments!r})\nexcept SystemExit:\n    pass\n"
        f"print(';', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    assert python(code).stdout.endswith("; []\n")


def test_a_spectrum_needs_no_pytorch_where_the_network_is_compiled() -> None:
    """Nor what else takes a second to import. Others find PyTorch: vesin is imported anew after us."""
    if find_compiler() is None:
        pytest.skip("no C++ compiler")
    code = (
        "import sys, bec_md\n"
        f"current = bec_md.compute_current({str(QUARTZ)!r}, 'silica', stop=120)\n"
        "bec_md.compute_spectrum(current, eps_inf=2.4, resolution_cm=100.0)\n"
        "print(any(name in sys.modules for name in ('torch', 'scipy.signal', 'scipy.stats')))\n"
        "import vesin._neighbors\n"
        "print(vesin._neighbors.HAS_TORCH)"
    )
    assert python(code).stdout.split() == ["False", "True"]


def test_nothing_is_imported_from_the_working_folder(tmp_path: Path) -> None:
    """Modules that lie beside somebody's trajectory are not run: not by the command, not by its workers."""
    script = Path(sysconfig.get_path("scripts"), "bec-md")
    names = (
        "numpy",
        "dask",
        "distributed",
        "multiprocessing",
        "json",
        "csv",
        "random",
        "h5py",
        "sitecustomize",
    )
    for name in names:
        text = "import pathlib\npathlib.Path(__file__).with_suffix('.ran').touch()\nraise SystemExit(3)\n"
        (tmp_path / f"{name}.py").write_text(text)
    write(tmp_path / "t.xyz", trajectory(oscillators(), 40, 2.0), format="extxyz")
    fixed = ("--timestep", "2", "--charges", "fixed:Si=4,O=-2,Li=0")
    for words in (["--version"], ["current", "t.xyz", *fixed, "-o", "c.h5", "--workers", "2"]):
        done = subprocess.run([script, *words], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "c.h5").is_file()
    assert not list(tmp_path.glob("*.ran"))


def test_every_command_has_help(run: Run) -> None:
    text = run("--help").stdout
    for command in COMMANDS:
        assert command in text
        assert "Usage: bec-md" in run(command, "--help").stdout


def test_version(run: Run) -> None:
    from bec_md import __version__

    first, *facts = run("--version").stdout.splitlines()
    assert first == f"bec-md {__version__}"
    labels = [line.split("  ")[0] for line in facts]
    assert labels == ["Python", "network", "fix bec", "packages"]
    assert str(Path.home()) not in "".join(facts)  # nothing about the person
    assert "numpy 2" in facts[-1] or "numpy 1" in facts[-1]


def test_shell_completion_completes_commands() -> None:
    import os

    environment = {
        **os.environ, "_BEC_MD_COMPLETE": "complete_bash", "COMP_WORDS": "bec-md spec", "COMP_CWORD": "1",
    }  # fmt: skip
    code = "from bec_md.cli.app import app; app(prog_name='bec-md')"
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment
    )
    assert "spectrum" in found.stdout


def test_ctrl_c_while_the_commands_are_put_together(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def struck() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("bec_md.cli._run", struck)
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 130
    assert capsys.readouterr().err == "\ninterrupted\n"


def test_the_package_runs_as_a_module(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[int] = []
    monkeypatch.setattr("bec_md.cli._run", lambda: called.append(1))
    runpy.run_module("bec_md", run_name="__main__")
    assert called == [1]
