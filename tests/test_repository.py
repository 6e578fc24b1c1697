"""The repository itself: style, types, light imports, and documentation that runs."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from glob import glob
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest

from tests import forked

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "bec_md"


def run(*command: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=options.pop("cwd", ROOT), capture_output=True, text=True, check=False)  # type: ignore[arg-type]


@pytest.mark.parametrize("arguments", [("check",), ("format", "--check")], ids=["lint", "format"])
def test_style(arguments: tuple[str, ...]) -> None:
    result = run(sys.executable, "-m", "ruff", *arguments, ".")
    assert result.returncode == 0, result.stdout + result.stderr


def test_types() -> None:
    result = run(sys.executable, "-m", "mypy", "--strict", "bec_md")
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    "statement", ["import bec_md", "from bec_md.cli import main", "import bec_md.lammps"]
)
def test_imports_stay_light(statement: str) -> None:
    heavy = "{'torch', 'matplotlib', 'e3nn', 'MDAnalysis', 'h5py'}"
    result = run(sys.executable, "-c", f"{statement}; import sys; print(sorted({heavy} & set(sys.modules)))")
    assert result.stdout.strip() == "[]", result.stdout + result.stderr


def test_rooms_depend_in_one_direction() -> None:
    """The contracts in pyproject.toml: layers of rooms, numerics without files, one command line."""
    from importlinter.cli import lint_imports

    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == 0


def test_no_module_imports_itself_by_way_of_others() -> None:
    """Imports inside functions count; those for the type checker alone do not."""
    graph = grimp.build_graph("bec_md", exclude_type_checking_imports=True, cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    TopologicalSorter(imports).prepare()  # raises CycleError with the circle


def test_modules_and_functions_stay_readable() -> None:
    places = [ROOT / name for name in ("bec_md", "tests", "examples", "docs", "lammps_plugin")]
    for path in (path for place in places for end in ("py", "cpp", "h") for path in place.rglob(f"*.{end}")):
        assert path.read_text(encoding="utf-8").count("\n") <= 500, path
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                words = len((ast.get_docstring(node, clean=False) or "").splitlines())
                assert (node.end_lineno or 0) - node.lineno + 1 - words <= 60, (path, node.name)


def test_results_are_written_whole_or_not_at_all() -> None:
    """Whatever opens a file for writing does so under the partial name that `bec_md.atomic` gives it."""
    opens = re.compile(r"""(\w+)\.(?:open\(["']w|write_text\(|write_bytes\()""")
    free = {  # they give the name, or write caches and scratch
        "atomic.py",
        "files.py",
        "check.py",
        "build.py",
    }
    for path in PACKAGE.rglob("*.py"):
        names = [] if path.name in free else opens.findall(path.read_text(encoding="utf-8"))
        assert set(names) <= {"partial", "atomic"}, path


def test_files_of_the_user_are_read_within_limits() -> None:
    """Whole files are read by `bec_md.files.read_text`, which looks at their size first."""
    own = {  # what the program has written or brought along, the system's tables, and models
        "dynamics/pod.py", "files.py", "lammps/build.py", "lammps/installation.py", "memory.py",
        "native/build.py", "network/model_file.py", "report/explorer.py",
        "report/document.py",
    }  # fmt: skip
    for path in PACKAGE.rglob("*.py"):
        whole = re.search(r"\.(read_text|read_bytes|readlines)\(", path.read_text(encoding="utf-8"))
        assert whole is None or str(path.relative_to(PACKAGE)) in own, path


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture
def playground(tmp_path: Path) -> Path:
    """A folder with the example's trajectory where the README expects it, and the program on the path."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    return tmp_path


def test_the_readme_python_example_runs(playground: Path) -> None:
    (code,) = blocks(ROOT / "README.md", "python")
    result = forked.run(["-c", f"import warnings\nwarnings.simplefilter('error')\n{code}"], playground)
    assert result.returncode == 0, result.stderr
    assert (playground / "quartz.png").stat().st_size > 10_000


def test_the_readme_commands_run(playground: Path) -> None:
    commands = [
        line
        for block in blocks(ROOT / "README.md", "sh")
        for line in block.replace("\\\n", " ").splitlines()
        if line.startswith("bec-md ")
    ]
    assert len(commands) >= 4
    for command in commands[1:]:  # the first one, with its numbers: tests/examples/test_perovskite.py
        words = [
            name
            for word in command.split("#")[0].split()
            for name in (sorted(glob(word, root_dir=playground)) if "*" in word else [word])
        ]
        result = forked.run(words, playground)
        assert result.returncode == 0, (command, result.stderr[-2000:])
