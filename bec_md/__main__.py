"""``python -m bec_md``: the command line where ``bec-md`` is not in the path."""

from bec_md.cli import main

if __name__ == "__main__":
    main()
