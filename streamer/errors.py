"""One class per reaction: the class says what the program does next, the text says what the user does.

A message has the form ``<what, with values>. <what was expected>. <what to do>. <what was kept>.``
"""


class LivestemError(Exception):
    """Base of every error that a user may meet. ``exit_code`` is the command's exit code (design, part 5)."""

    exit_code = 5


class SettingsError(LivestemError):
    """A setting or an argument cannot be used: correct it and start again."""

    exit_code = 2


class WireError(LivestemError):
    """One message cannot be used: it is counted and skipped, the scan goes on."""


class ProcessingError(LivestemError):
    """One batch cannot be processed: it is counted and skipped, the scan goes on."""


class StreamLost(LivestemError):
    """The other side of the stream is gone: the scan ends as STREAM_LOST, what arrived is kept."""

    exit_code = 3


class RingOverrun(LivestemError):
    """A lossless reader was too slow for a source that cannot wait: the scan ends as OVERRUN."""

    exit_code = 4


class RecordingError(LivestemError):
    """The recording cannot be continued (disk full, I/O error): the scan ends as FAILED, the file stays valid."""


class FileFormatError(LivestemError):
    """A scan file cannot be read as what it claims to be."""

    exit_code = 6


class ResultError(LivestemError):
    """A result file cannot be read, or was written by a newer version."""

    exit_code = 6


class ScanStopped(LivestemError):
    """The scan was stopped or aborted by somebody: what was done is kept."""

    exit_code = 7


class WorkersLost(LivestemError):
    """The processes that computed for us are gone: start them again, then the analysis."""


class EngineUnreachable(LivestemError):
    """No engine answered at the endpoint."""

    exit_code = 9
