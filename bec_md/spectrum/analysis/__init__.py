"""What is read from a finished spectrum: peaks, bands, fits, axes, instruments, plans."""
