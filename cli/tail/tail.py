"""The way of a batch: read, written down, sent, ticked off."""

from collections.abc import Callable, Sequence

from cli.tail.checkpoint import Checkpoint, CheckpointFile
from cli.tail.files import Follower, Piece

BATCH_BYTES = 1024 * 1024
"""Bytes of lines after which a batch is full."""


class Tail:
    """Reads files and delivers their lines, each once.

    What is in memory may be lost at any moment: the checkpoint says how far the files were read
    into batches, and holds the one batch that the door may not have taken yet.
    """

    def __init__(
        self,
        patterns: Sequence[str],
        kept: CheckpointFile,
        encode: Callable[[Sequence[Piece]], bytes],
        deliver: Callable[[bytes], None],
        *,
        from_end: bool = False,
    ) -> None:
        """Go on where the checkpoint ends.

        Args:
            patterns: names of the files.
            kept: the checkpoint.
            encode: makes the bytes of a request of lines; none if there is nothing to send.
            deliver: returns when the bytes were accepted; gets equal bytes again after a kill.
            from_end: at the very first start, pass over what the files hold.
        """
        self._kept = kept
        self._encode = encode
        self._deliver = deliver
        known = kept.load()
        before = known or Checkpoint()
        self._batch = before.batch
        self._follower = Follower(patterns, before.files, from_end=from_end and known is None)
        self._save()

    def look(self) -> None:
        """Note which files came and went: one that is known can be found under another name.

        Raises:
            OSError: the checkpoint cannot be written.
        """
        if self._follower.look():
            self._save()

    def step(self, *, torn: bool = False) -> bool:
        """Deliver one batch; False if there was nothing to do.

        Args:
            torn: take an unfinished last line too.

        Raises:
            OSError: the checkpoint cannot be written.
            Exception: what `deliver` raises; the batch is sent first after the next start.
        """
        self.look()
        if not self._batch:
            pieces = self._follower.read(BATCH_BYTES, torn=torn)
            if not pieces:
                return False
            self._batch = self._encode(pieces)
            self._save()
        if self._batch:
            self._deliver(self._batch)
            self._batch = b""
            self._save()
        return True

    def close(self) -> None:
        """Close the files."""
        self._follower.close()

    def _save(self) -> None:
        self._kept.save(Checkpoint(self._follower.states, self._batch))
