"""Processes that train together, for tests of what they exchange."""

import multiprocessing
import pickle

import worker_stubs


def on_ranks(world, function, *arguments, folder):
    """What a function of ``worker_stubs`` gives on each of several processes that have met."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["edgenext_search.execution.preload"])
    pipes, processes = [], []
    for rank in range(world):
        receiver, sender = context.Pipe(duplex=False)
        given = (rank, world, folder / "meeting", sender, function, *arguments)
        processes.append(context.Process(target=worker_stubs.on_rank, args=given, daemon=True))
        processes[-1].start()
        sender.close()
        pipes.append(receiver)
    results = [pickle.loads(pipe.recv_bytes()) for pipe in pipes]  # noqa: S301 - our own processes
    for process in processes:
        process.join()
    return results
