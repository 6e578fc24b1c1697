"""The documentation site: what is made from the program is complete, and everything is two clicks away."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
sys.path.insert(0, str(DOCS))

from _site import api, commands, messages  # noqa: E402 (a folder of the documentation)


def test_every_option_of_every_command_has_its_entry() -> None:
    from typer.main import get_command

    from bec_md.cli.app import app

    pages = commands.command_pages()
    group = get_command(app)
    assert {"spectrum", "lammps-build", "plan"} <= set(pages)
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        if command.hidden or hasattr(command, "commands"):
            continue
        for parameter in command.params:
            for option in parameter.opts if parameter.param_type_name == "option" else ():
                assert re.search(rf"^\.\. option:: .*{re.escape(option)}\b", pages[name], re.MULTILINE), (
                    name,
                    option,
                )
    assert "lag|welch|multitaper" in pages["spectrum"]
    assert "bec-md bench" not in pages["spectrum"]


def test_every_public_name_has_its_entry() -> None:
    pages = api.api_pages()
    assert {"spectrum", "current", "ase", "plot", "network"} <= set(pages)
    for room in api.public_rooms():
        text = pages[room.removeprefix("bec_md.")]
        for name in importlib.import_module(room).__all__:
            assert f"{room}.{name}\n" in text or f"``{name}``: see" in text, (room, name)
    top = importlib.import_module("bec_md")
    for name in set(top.__all__) - {"__version__", "plot"}:  # what stands at the top is described in its room
        room = getattr(top, name).__module__.split(".")[1]
        assert name in importlib.import_module(f"bec_md.{room}").__all__, name
        assert room in pages, name


def test_public_names_are_documented() -> None:
    for room in api.public_rooms():
        module = importlib.import_module(room)
        for name in module.__all__:
            value = getattr(module, name)
            if callable(value):
                assert (value.__doc__ or "").strip(), (room, name)


def test_messages_are_found_with_reason_and_remedy() -> None:
    found = [entry for entries in messages.messages().values() for entry in entries]
    assert len(found) > 300
    assert any("does not say how much time lies between its frames" in what for what, _, _ in found)
    assert all(why.strip() and remedy.strip() for _, why, remedy in found)


def test_messages_quoted_by_the_questions_exist() -> None:
    source = " ".join(
        re.sub(r'"\s*\n?\s*f?"', "", path.read_text(encoding="utf-8"))
        for path in (ROOT / "bec_md").rglob("*.py")
    )
    quoted = re.findall(r'^\*\*"([^"]+)"', (DOCS / "faq.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(quoted) >= 5
    for text in quoted:
        assert text in source, text


def links(page: Path) -> set[Path]:
    """Return the pages that a page links to; made pages stand below their stub."""
    found = {
        (page.parent / target).resolve()
        for target in re.findall(r"\]\(([^)#\s:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    }
    return {path for path in found if path.suffix in (".md", ".ipynb")}


@pytest.mark.parametrize(
    ("aim", "page"),
    [
        ("structure to spectrum", "docs/tutorials/structure.md"),
        ("--sum-rule", "docs/reference/commands.md"),
        ("charged cell", "docs/howto/charged_cells.md"),
        ("slab", "docs/howto/slabs.md"),
        ("API of compute_spectrum", "docs/reference/api.md"),
        ("add a format, report a bug", "CONTRIBUTING.md"),
        ("what is new", "CHANGELOG.md"),
    ],
)
def test_one_click_from_the_start_page(aim: str, page: str) -> None:
    """One to the page, one more to the command or the room below it."""
    assert ROOT / page in links(DOCS / "README.md"), aim


def test_every_page_of_the_site_is_linked_from_the_start_page_or_one_below() -> None:
    first = links(DOCS / "README.md")
    second = set().union(*(links(page) for page in first if page.suffix == ".md"))
    for page in [*DOCS.rglob("*.md"), *(ROOT / "examples").rglob("README.md")]:
        assert (page.name == "README.md" and page.parent == DOCS) or page in first | second, page


MADE = "docs/reference/made"
#: What a reader looks for, its page, and what stands there.
AIMS = (
    ("structure to spectrum", "docs/tutorials/structure.html", "bec-md md"),
    (
        "what is --sum-rule",
        "docs/reference/made/commands/spectrum.html",
        'id="cmdoption-bec-md-spectrum-sum-rule"',
    ),
    ("charged cell", "docs/howto/charged_cells.html", "total_charge"),
    ("slab", "docs/howto/slabs.html", "vacuum"),
    (
        "API of compute_spectrum",
        "docs/reference/made/api/spectrum.html",
        'id="bec_md.spectrum.compute_spectrum"',
    ),
    ("add a format", "CONTRIBUTING.html", "format"),
    ("report a bug", "CONTRIBUTING.html", "Bug reports"),
    ("what is new", "CHANGELOG.html", "Unreleased"),
)


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("sphinx", reason="pip install -e '.[docs]'")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-c", "docs", ".", str(tmp_path)]
    command += ["-D", "nb_execution_mode=off"]  # it runs in tests/notebook/test_tutorial.py
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-4000:]
    index = (tmp_path / "searchindex.js").read_text(encoding="utf-8")
    assert "--sum-rule" in index  # found offline
    reached = two_clicks(tmp_path / "docs" / "README.html")
    for aim, page, place in AIMS:
        file = tmp_path / page
        assert file in reached, aim
        assert place in file.read_text(encoding="utf-8"), aim
    for page in tmp_path.rglob("*.html"):  # the search, equations and notebooks: nothing comes from elsewhere
        name, text = page.name, page.read_text(encoding="utf-8")
        text = re.sub(r'<img[^>]*src="https://(?:img\.shields\.io|github\.com)[^>]*>', "", text)  # badges
        assert not re.search(r'<(?:script|img)[^>]*src="(?:https?:)?//', text), name
        assert not re.search(r'<link[^>]*rel="stylesheet"[^>]*href="(?:https?:)?//', text), name


def two_clicks(start: Path) -> set[Path]:
    """Return the built pages that a reader reaches from a page by at most two clicks."""
    reached = {start.resolve()}
    for _ in range(2):
        reached |= {
            (page.parent / target).resolve()
            for page in reached
            if page.suffix == ".html" and page.is_file()
            for target in re.findall(r'<a\b[^>]*\shref="([^"#:]+)', page.read_text(encoding="utf-8"))
        }
    return reached
