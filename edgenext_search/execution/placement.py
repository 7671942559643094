"""The devices and cores of this host, shared out among jobs and processes."""

from __future__ import annotations

from edgenext_search.errors import UserError
from edgenext_search.machine import cpu_cores
from edgenext_search.training.proxy.job import Placement

MOST_WORKERS = 8


def local_places(
    device: str = "auto",
    *,
    parallel: int | None = None,
    threads: int | None = None,
    gpus_per_trial: int = 1,
    trials_per_gpu: int = 1,
) -> list[Placement]:
    """The places of this host for jobs that run at the same time: groups of GPUs, or shares of the CPU.

    Args:
        device: ``auto``, ``cpu`` or ``cuda``; ``auto`` takes the GPUs where there are any.
        parallel: Number of jobs at once; None for as many as the devices hold.
        threads: CPU threads of each process; None for one on the CPU, where more trials beat more threads, and for
            the cores shared out where GPUs train.
        gpus_per_trial: Number of devices that train a job together; on the CPU, of processes.
        trials_per_gpu: Number of jobs that share a GPU; no effect on the CPU.

    Raises:
        UserError: The devices are not there, or a number is not positive or asks for more than there is.
    """
    for name, value in (
        ("--parallel", parallel),
        ("--threads", threads),
        ("--gpus-per-trial", gpus_per_trial),
        ("--trials-per-gpu", trials_per_gpu),
    ):
        if value is not None and value < 1:
            raise UserError(f"{name} must be >= 1, but got {value}.")
    if gpus_per_trial > 1 and trials_per_gpu > 1:
        raise UserError(
            f"A trial takes several GPUs (--gpus-per-trial {gpus_per_trial}) or shares one (--trials-per-gpu "
            f"{trials_per_gpu}), not both; leave one of them out."
        )
    gpus = _gpus(device)
    if not gpus:
        count = parallel or max(1, cpu_cores() // gpus_per_trial)
        return [Placement(devices=("cpu",) * gpus_per_trial, threads=threads or 1)] * count
    if gpus_per_trial > gpus:
        raise UserError(f"--gpus-per-trial must be at most {gpus}, the GPUs of this host, but got {gpus_per_trial}.")
    groups = [
        tuple(f"cuda:{first + index}" for index in range(gpus_per_trial))
        for first in range(0, gpus - gpus_per_trial + 1, gpus_per_trial)
    ]
    count = parallel or len(groups) * trials_per_gpu
    threads = threads or max(1, cpu_cores() // (count * gpus_per_trial))
    return [Placement(devices=groups[index % len(groups)], threads=threads) for index in range(count)]


def local_devices(device: str, processes: int | None) -> tuple[str, ...]:
    """The device of each process of a full training on this host.

    Args:
        device: ``auto``, ``cpu`` or ``cuda``.
        processes: Number of processes; None for one on each visible GPU, or one on the CPU.

    Raises:
        UserError: There are fewer GPUs, or none.
    """
    gpus = _gpus(device)
    if not gpus:
        return ("cpu",) * (processes or 1)
    if processes is not None and processes > gpus:
        raise UserError(f"--processes must be at most the visible GPUs, {gpus}, but got {processes}.")
    return tuple(f"cuda:{number}" for number in range(processes or gpus))


def split_cores(
    processes: int, device: str, *, workers: int | None = None, threads: int | None = None
) -> tuple[int, int | None]:
    """Split this host's cores among the processes of a full training.

    Args:
        processes: Number of processes.
        device: Their device: ``cpu``, ``cuda:0`` and the like.
        workers: Processes that load images, for each of them; None for its cores, at most :data:`MOST_WORKERS`.
        threads: CPU threads of each; None for its cores on the CPU, and torch's own number beside a GPU.

    Returns:
        Workers and threads as a :class:`~edgenext_search.training.full.job.FullJob` takes them.
    """
    share = max(1, cpu_cores() // processes)
    if threads is None and device == "cpu":
        threads = share
    return min(MOST_WORKERS, share) if workers is None else workers, threads


def _gpus(device: str) -> int:
    """Number of GPUs to use.

    Raises:
        UserError: GPUs are asked for and there are none.
    """
    if device == "cpu":
        return 0
    import torch

    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device == "cuda" and not gpus:
        raise UserError("--device cuda needs a CUDA GPU, but torch finds none; `edgenext-search doctor` says more.")
    return gpus


def gpu_memory() -> int:
    """Memory of the smallest GPU in bytes; 0 without one."""
    import torch

    gpus = range(torch.cuda.device_count())
    return min((torch.cuda.get_device_properties(gpu).total_memory for gpu in gpus), default=0)
