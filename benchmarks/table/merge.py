"""Adds the finished trainings of a folder of results to the table.

python -m benchmarks.table.merge RESULTS [--into FOLDER]
"""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path

from benchmarks.table.files import FOLDER, merge
from benchmarks.table.plan import PARTS, QUICK, read_shapes, trainings


def main(arguments: list[str] | None = None) -> None:
    """Merge and say how much there is."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="folder of results of `train`")
    parser.add_argument("--into", type=Path, default=FOLDER, help="folder of the table (default: the one shipped)")
    parser.add_argument("--quick", action="store_true", help="the results are of `train --quick`")
    options = parser.parse_args(arguments)
    plan = [training.name for training in trainings(read_shapes(), QUICK if options.quick else PARTS)]
    print(f"{merge(options.results, options.into, plan)} of {len(plan)} trainings")


if __name__ == "__main__":
    main()
