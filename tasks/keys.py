"""The ledger's keys in the broker, and the clock of all that is kept there.

All under `sheaf:`:
    chunk:<id>      hash: header, payload, records, bytes, size (bytes of the payload as it is
                    kept), tries, reason (dead letters)
    ledger          sorted set of the ids of all waiting chunks, by acceptance in ms
    open:<signal>   sorted set of the ids that no batch has sealed yet
    batches         sorted set of sealed batches, by when they are due again in ms
    batch:<id>      hash: signal, chunks (never changes but for burials), attempt (the fence), lease
                    (its name)
    dead            sorted set of the ids of dead letters, by burial in ms
    request:<id>    chunk that a client's request went into, for the request window; behind it the
                    digest of the body that came with an Idempotency-Key
    receipt:<id>    ids of the chunks that a receipt of several stands for, joined by spaces, for
                    the receipt window
    stored:<id>     a stored chunk: records, and when in ms; for the receipt window
    dropped:<id>    the same of a dead letter that was dropped, for the longer of both windows
    waiting, totals counters; dead_bytes in waiting is missing until they were counted once
"""

import time


def chunk(chunk_id: str) -> str:
    """The key of a chunk."""
    return f"sheaf:chunk:{chunk_id}"


def now_ms() -> int:
    """Now in Unix milliseconds, as times in the broker are."""
    return time.time_ns() // 1_000_000
