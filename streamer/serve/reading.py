"""A pass over the scan that a viewer has asked for: how far it is, and whether it is still wanted."""

from streamer.analysis.passes import Cancel
from streamer.errors import LivestemError
from streamer.serve.job_progress import JobProgress


class Reading:
    """One such pass; `told` is called from its thread, everything else from any."""

    def __init__(self, what: str) -> None:
        self._what, self._cancel = what, Cancel()
        self.progress = JobProgress(stages=(what,))

    def cancel(self) -> None:
        """End it at the next block of patterns."""
        self._cancel.request()

    def told(self, fraction: float) -> None:
        """So much is done.

        Raises
        ------
        LivestemError
            It is not wanted any more.
        """
        if self._cancel.is_requested:
            raise cancelled(self._what)
        self.progress.told(self._what, fraction)


def cancelled(what: str) -> LivestemError:
    """The answer to a request that was cancelled."""
    return LivestemError(f"The {what} was cancelled. Nothing was changed; ask for it again at any time.")
