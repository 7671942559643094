"""Processes that train together, for tests of what they exchange."""

import pickle

import worker_stubs

from edgenext_search.execution.processes import ProcessGroup


def on_ranks(world, function, *arguments, folder):
    """What a function of ``worker_stubs`` returns on each of several processes in a process group."""
    given = [(rank, world, folder / "rendezvous", function, *arguments) for rank in range(world)]
    with ProcessGroup(worker_stubs.on_rank, given, name=function, patience=60, interactive=True) as group:
        return [pickle.loads(result) for result in group.wait()]  # noqa: S301 - our own processes
