"""How sure a spectrum is: statistical errors, model errors, self-checks."""
