"""Counts the requests that the HTTP door refuses."""

from dataclasses import dataclass

from flask import g

from ingest.commit.receive import Receiver
from ingest.status import RefusedError
from ingest.tenant import Sender


@dataclass(slots=True)
class Sent:
    """What is known of the current request, to count it if it is refused."""

    signal: str
    sender: Sender
    records: int = 0
    size: int = 0
    """Uncompressed bytes."""


def begin(receiver: Receiver, signal: str, sender: Sender) -> Sent:
    """Note who sends the current request, before it is read.

    Raises:
        RefusedError: the sender's workspace has used up a limit.
    """
    sent = g.sent = Sent(signal, sender)
    receiver.check_limits(sender)
    return sent


def accepted(receiver: Receiver, rejected: int) -> None:
    """Count what of the current request, which is accepted, was refused."""
    sent: Sent = g.pop("sent")
    receiver.accepted(sent.signal, sent.sender, rejected)


def count(receiver: Receiver, refusal: RefusedError) -> None:
    """Count the current request, which is refused, once, if it is known who sent it."""
    sent: Sent | None = g.pop("sent", None)
    if sent:
        receiver.refused(sent.signal, sent.sender, refusal, sent.records, sent.size)
