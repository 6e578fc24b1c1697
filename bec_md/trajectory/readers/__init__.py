"""Readers of single trajectory formats, one module each; `bec_md.trajectory.formats` lists them."""
