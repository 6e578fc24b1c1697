"""The network beside an edge-wise one and the limits of the machine."""
