"""From power spectra to σ(ω), ε(ω) and what follows from them, along any direction."""
