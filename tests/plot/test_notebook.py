"""Figures appear in a notebook, ours and those that the user draws afterwards."""

from __future__ import annotations

import nbclient
import nbformat
import pytest

CELLS = [
    "import numpy as np\n"
    "from bec_md.plot.style import figure_style, new_axes\n"
    "with figure_style():\n"
    "    new_axes(None).plot(np.arange(3))",
    "with figure_style():\n    new_axes(None).plot(np.arange(3))",
    "import matplotlib.pyplot as plt\nplt.plot([0, 1])",
]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the kernel's own libraries
def test_every_figure_of_a_notebook_appears() -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    nbclient.NotebookClient(notebook, timeout=120).execute()
    for cell in notebook.cells:
        kinds = [set(output.get("data", {})) for output in cell.outputs]
        assert any("image/png" in kind for kind in kinds), cell.source
