"""Batches that all ranks have, or none: where one rank gets none, no other waits for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from edgenext_search.signals import StopRequests
from edgenext_search.training.engine.distributed import Ranks
from edgenext_search.training.engine.loader import Batch, Loader
from edgenext_search.training.errors import PeerFailedError


class LoadingEndedError(Exception):
    """There is no batch for the next step, on any rank.

    Attributes:
        reason: Why, where a process failed; None where a process was asked to stop.
    """

    def __init__(self, reason: Exception | None) -> None:
        super().__init__(reason)
        self.reason = reason


class BatchesTogether:
    """The batches of a loader; before each, the ranks tell each other whether they have theirs.

    A request to stop is answered at once, also while a rank waits for its batch.

    Args:
        loader: The loader.
        ranks: This process among those that train together.
        stopping: Whether this process was asked to stop.
        saving: Whether this process wants a checkpoint.

    Attributes:
        save: Whether a rank has wanted a checkpoint since this was last set.
    """

    def __init__(self, loader: Loader, ranks: Ranks, *, stopping: StopRequests, saving: Callable[[], bool]) -> None:
        self._loader, self._ranks, self._stopping, self._saving = loader, ranks, stopping, saving
        self.save = False

    def batches(self, epoch: int) -> int:
        """See :class:`~edgenext_search.training.engine.loader.Loader`."""
        return self._loader.batches(epoch)

    def batch_sizes(self, epoch: int) -> Sequence[int]:
        """See :class:`~edgenext_search.training.engine.loader.Loader`."""
        return self._loader.batch_sizes(epoch)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """See :class:`~edgenext_search.training.engine.loader.Loader`.

        Raises:
            LoadingEndedError: Raised on all ranks.
        """
        batches = self._loader.epoch(epoch, start)
        for _ in range(start, self.batches(epoch)):
            batch: Batch | None = None
            error: Exception | None = None
            try:
                with self._stopping.interruptible():
                    batch = next(batches)
            except KeyboardInterrupt:
                if not self._stopping():
                    raise
            except Exception as raised:  # whatever it is, the other ranks learn that there is no batch
                error = raised
            stop, failed, save = self._ranks.any_rank(self._stopping(), error is not None, self._saving())
            self.save |= save
            if error is not None:
                raise LoadingEndedError(error) from error
            if failed:
                raise LoadingEndedError(PeerFailedError("Another process of the training failed, and says why."))
            if stop or batch is None:
                raise LoadingEndedError(None)
            yield batch
