"""``python -m edgenext_search``."""

from edgenext_search.cli import main

if __name__ == "__main__":
    main(prog_name="edgenext-search")
