"""Launcher for a checkout: ``python cli.py run --budget 1.3M`` is ``edgenext-search run --budget 1.3M``."""

from edgenext_search.cli import main

if __name__ == "__main__":
    main()
