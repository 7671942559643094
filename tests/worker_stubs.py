"""What trial processes run in tests instead of a training; a module of its own, so that they can import it."""

from edgenext_search.training.job import OutOfMemory, Trained


def _sized(job, messages, most):
    taken = job.micro_batch or job.recipe.batch_size
    if taken > most:
        messages.send(OutOfMemory(reason=f"out of memory: {most} images fit"))
    else:
        messages.send(Trained(score=0.5, seconds=1.0, micro_batch=job.micro_batch))


def has_memory_for_20_images(job, messages, rank, meeting):
    _sized(job, messages, 20)


def only_job_1_has_memory(job, messages, rank, meeting):
    _sized(job, messages, 1000 if job.name == "job-1" else 0)
