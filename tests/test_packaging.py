"""What packagers and reviewers look for is there, and says the same everywhere."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
import zipfile
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml

import bec_md

ROOT = Path(__file__).parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
TEXT = {".md", ".cff", ".yaml", ".yml", ".toml", ".bib", ""}


def public_files() -> list[Path]:
    """Return all files of text that name the project to the outside."""
    folders = (ROOT, ROOT / "packaging", ROOT / ".github")
    deep = [path for folder in folders[1:] for path in folder.rglob("*")]
    return [path for path in (*ROOT.iterdir(), *deep) if path.is_file() and path.suffix in TEXT]


def test_types_are_shipped() -> None:
    assert resources.files("bec_md").joinpath("py.typed").is_file()
    assert "Typing :: Typed" in PROJECT["classifiers"]


def test_the_version_is_the_same_everywhere() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    recipe = (ROOT / "packaging/conda/meta.yaml").read_text(encoding="utf-8")
    assert citation["version"] == bec_md.__version__
    assert f'set version = "{bec_md.__version__}"' in recipe


def test_one_address_of_the_project() -> None:
    """A fork, or the first release, changes pyproject.toml and finds the other places here."""
    source = PROJECT["urls"]["Source"]
    owner = source.removeprefix("https://github.com/")
    for path in public_files():
        for found in re.findall(r"github\.com/([\w-]+/bec-md)\b", path.read_text(encoding="utf-8")):
            assert found == owner, path


def test_the_conda_recipe_asks_for_the_same_packages() -> None:
    recipe = (ROOT / "packaging/conda/meta.yaml").read_text(encoding="utf-8")
    wanted = set(re.findall(r"^    - ([\w-]+ [<>=].*)$", recipe.split("  run:\n")[1], re.MULTILINE))
    renamed = {"torch": "pytorch", "MDAnalysis": "mdanalysis", "matplotlib": "matplotlib-base"}
    for dependency in PROJECT["dependencies"]:
        match = re.match(r"([\w-]+)(.*)", dependency)
        assert match is not None
        name, bounds = match.groups()
        assert f"{renamed.get(name, name)} {bounds}" in wanted
    assert len(wanted) == len(PROJECT["dependencies"]) + 1  # and Python


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / ".github").rglob("*.yml")))
def test_files_of_the_host_are_valid_yaml(name: str) -> None:
    (path,) = (ROOT / ".github").rglob(name)
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    if "workflows" in path.parts:
        assert content["jobs"]
        assert content["permissions"] == {"contents": "read"}
        for job in content["jobs"].values():
            for step in job["steps"]:
                assert ("run" in step) != ("uses" in step)
                if "uses" in step:
                    assert re.fullmatch(r"[\w.-]+/[\w.-]+@[\w./]+", step["uses"])
                elif step["run"].startswith("packaging/"):
                    assert (ROOT / step["run"]).stat().st_mode & 0o100, step["run"]


def test_the_paper_has_the_sections_that_are_asked_for_and_its_references() -> None:
    text = (ROOT / "paper.md").read_text(encoding="utf-8")
    asked = ("Summary", "Statement of need", "State of the field", "Software design")
    asked += ("Research impact statement", "AI usage disclosure", "Acknowledgements", "References")
    assert re.findall(r"^# (.+)$", text, re.MULTILINE) == list(asked)
    keys = set(re.findall(r"^@\w+\{(\w+),", (ROOT / "paper.bib").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"@(\w+)", text)) == keys


def test_own_outputs_are_ignored() -> None:
    names = ["quartz_300K_spectrum.png", "x_spectrum.h5", "x_current.h5", "site/index.html"]
    names += ["bec_md/native/_bec_native.so"]
    if not (ROOT / ".git").exists():
        pytest.skip("no git checkout")
    result = subprocess.run(
        ["git", "check-ignore", *names], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.stdout.split() == names


@pytest.mark.slow
def test_a_wheel_without_a_compiler_is_pure_and_complete(tmp_path: Path) -> None:
    """Build as on a machine without g++: the network then runs in PyTorch, all data files are inside."""
    import os
    import sys

    environment = os.environ | {"CXX": "no-such-compiler", "BEC_MD_BUILD_LAMMPS": "0"}
    source = tmp_path / "source"  # building removes compiled files of the tree that it builds
    shutil.copytree(
        ROOT, source, ignore=shutil.ignore_patterns(".*", "*.so", "__pycache__", "examples", "docs")
    )
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", str(source)]
    subprocess.run([*command, "-w", str(tmp_path)], check=True, env=environment, cwd=tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name.endswith("-py3-none-any.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for name in (
        "py.typed",
        "network/bundled/universal.safetensors",
        "report/report.css",
        "plot/bec_md.mplstyle",
    ):
        assert f"bec_md/{name}" in names
    assert any(name.startswith("bec_md/lammps/plugin_source/") for name in names)
    assert not any(name.endswith(".so") for name in names)
