"""Training curves of EdgeNeXt shapes inside two parameter budgets; README.md is the data card."""

from benchmarks.table.files import Table, load

__all__ = ["Table", "load"]
