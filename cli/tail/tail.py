"""A batch's path: read, saved, sent, removed."""

from collections.abc import Callable, Sequence

from cli.tail.checkpoint import Checkpoint, CheckpointFile
from cli.tail.files import Block, Follower

BATCH_BYTES = 1024 * 1024
"""Bytes of lines after which a batch is full."""


class Tail:
    """Reads files and delivers their lines, each once.

    The process may be killed at any moment: the checkpoint says how far the files were read into
    batches, and has the one batch that the door may not have accepted yet.
    """

    def __init__(
        self,
        patterns: Sequence[str],
        kept: CheckpointFile,
        encode: Callable[[Sequence[Block]], bytes],
        deliver: Callable[[bytes], None],
        *,
        from_end: bool = False,
    ) -> None:
        """Continue from the checkpoint.

        Args:
            patterns: names of the files.
            kept: the checkpoint.
            encode: makes a request of lines; empty if there is nothing to send.
            deliver: returns when the bytes were accepted; gets equal bytes again after a kill.
            from_end: on the very first start, skip the present content of the files.
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
        """Notice new and deleted files; a known file can be followed under another name.

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
            Exception: what `deliver` raises; the next start sends the batch first.
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
