"""Hostile inputs for the command line: make them, run bec-md on each, and say what did not end as it should.

    python -m tests.attack                     # all of them, half an hour on one core
    python -m tests.attack --only xtc          # those whose name matches a regular expression
    python -m tests.attack --share 16          # every sixteenth: what the suite runs

Every foreign format of trajectories in 18 damaged versions; structures, labels and options of all commands;
file names, links, devices, environments and limits; files that change while they are read. Each must be
worked through, or refused with what, why and what to do and exit status 1 or 2, within a minute and 6 GB,
with its inputs as they were and nothing that looks like a finished output. Commands run in forks of one
warm process, or as programs of their own where that matters.
"""
