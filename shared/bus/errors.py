"""What can go wrong on the bus, in our own words.

BusError
├── BusUnavailable      the broker cannot be asked now; waiting helps
│   ├── NoAnswer        nobody answered a request in time
│   └── TopologyMissing a stream or consumer does not exist (any more)
├── SubjectTaken        a command for this subject is still outstanding
├── MessageTooLarge     the broker will never take this message
└── BusClosed           the connection is gone for good; only a new process helps
"""

from __future__ import annotations


class BusError(Exception):
    """The bus refused or failed."""


class BusUnavailable(BusError):  # noqa: N818 - named as the state that it tells of
    """The broker cannot be asked now; whether the message arrived is unknown."""


class NoAnswer(BusUnavailable):
    """Nobody answered a request in time; it may have been carried out all the same."""


class TopologyMissing(BusUnavailable):
    """A stream or consumer does not exist: the store was wiped, or JetStream is not up yet."""


class SubjectTaken(BusError):  # noqa: N818
    """A command for this subject is still outstanding, queued or in work."""


class MessageTooLarge(BusError):  # noqa: N818
    """The message is larger than the broker takes."""


class BusClosed(BusError):  # noqa: N818
    """The connection was closed, by us or for good by the client library."""
