"""From the current to power spectra: lag window, Welch, multitaper, cepstrum, Einstein–Helfand."""
