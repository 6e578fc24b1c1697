"""The tutorial for notebooks runs, and shows what it promises."""

from __future__ import annotations

from pathlib import Path

import nbclient
import nbformat
import pytest

TUTORIALS = Path(__file__).parents[2] / "docs" / "tutorials"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the kernel's own libraries
def test_the_tutorial_runs_and_shows_its_results() -> None:
    pytest.importorskip("xarray")
    notebook = nbformat.read(TUTORIALS / "notebook.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert not any(cell.get("outputs") for cell in notebook.cells)  # stored without outputs
    client = nbclient.NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(TUTORIALS)}})
    client.execute()
    shown = {
        cell.source: [kind for output in cell.outputs for kind in output.get("data", {})]
        for cell in notebook.cells
        if cell.cell_type == "code"
    }
    for source, kinds in shown.items():
        if source.rstrip().rsplit("\n", 1)[-1] in ("model", "current", "spectrum"):
            assert "text/html" in kinds, source
        if "plot" in source:
            assert "image/png" in kinds, source
    text = "".join(str(cell.get("outputs", "")) for cell in notebook.cells)
    assert "<progress" in text or "frames in" in text  # the bar of the current
    assert "Traceback" not in text
