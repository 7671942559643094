"""Where the jobs of a study are trained at the same time on this host."""

from __future__ import annotations

from edgenext_search.errors import UserError
from edgenext_search.machine import cpu_cores
from edgenext_search.training.proxy.job import Placement


def local_places(
    device: str = "auto",
    *,
    parallel: int | None = None,
    threads: int | None = None,
    gpus_per_trial: int = 1,
    trials_per_gpu: int = 1,
) -> list[Placement]:
    """The places of this host: groups of GPUs, or shares of the CPU.

    Args:
        device: ``auto``, ``cpu`` or ``cuda``; ``auto`` takes the GPUs where there are any.
        parallel: Jobs at once; None for as many as the devices hold.
        threads: CPU threads of each process; None for one on the CPU, where more trials beat more threads, and for
            the cores shared out where GPUs train.
        gpus_per_trial: Devices that train a job together; on the CPU, processes.
        trials_per_gpu: Jobs that share a GPU; on the CPU it changes nothing.

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


def _gpus(device: str) -> int:
    if device == "cpu":
        return 0
    import torch

    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device == "cuda" and not gpus:
        raise UserError("--device cuda needs a CUDA GPU, but torch finds none; `edgenext-search doctor` says more.")
    return gpus


def gpu_memory() -> int:
    """Bytes of the smallest GPU; 0 without one."""
    import torch

    gpus = range(torch.cuda.device_count())
    return min((torch.cuda.get_device_properties(gpu).total_memory for gpu in gpus), default=0)
