"""What the programs of the tests import; a figure is drawn, so that fonts and grammars are there."""

from __future__ import annotations

import io
from importlib import import_module

from bec_md.plot.save import write_figure
from bec_md.plot.style import bare_figure, figure_style

for name in (
    "ase.io",
    "bec_md.cli.app",
    "bec_md.cli.outputs",
    "bec_md.compare.figure",
    "bec_md.current.compute",
    "bec_md.modes",
    "bec_md.network.predictor",
    "bec_md.network.torch_engine",
    "bec_md.spectrum.compute",
    "bec_md.spectrum.output",
    "bec_md.trajectory.opening",
    "bec_md.trajectory.readers",
    "matplotlib.pyplot",
    "MDAnalysis",
    "scipy.interpolate",
    "scipy.ndimage",
    "scipy.signal",
    "scipy.stats",
    "vesin",
):
    import_module(name)

with figure_style():
    figure = bare_figure((3.0, 2.0))
    figure.add_subplot().set_xlabel("$x$")
for kind in ("png", "svg"):
    write_figure(figure, io.BytesIO(), kind)
