"""The rules of the write path, each of which can be broken to see whether that is noticed."""

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Rules:
    """All of them hold by default."""

    ledger_syncs_before_it_answers: bool = True
    """`appendfsync always`: `APPENDFSYNC`."""
    ledger_knows_requests: bool = True
    """A request that was accepted is answered, not added: `accept.lua`."""
    tenant_has_one_ledger: bool = True
    """All doors send a tenant's chunks to the same ledger."""
    workers_look_without_hints: bool = True
    """Hints may be lost: the sweep, and each worker's own look every 10 s."""
    leases_expire: bool = True
    """A batch passes on when its worker is silent: `seal.lua`."""
    leases_are_fenced: bool = True
    """Scripts refuse all but the newest attempt: `renew.lua`, `settle.lua`, `split.lua`."""
    inserts_begin_in_time: bool = True
    """An insert is not sent later than `LEASE_MARGIN` after the lease was renewed."""
    inserts_are_sent_once: bool = True
    """An insert without an answer is not sent to another host: `Hosts.ask`."""
    errors_end_an_insert: bool = True
    """Nor is one that a host answered with an error, on behalf of one shard: `Hosts.ask`."""
    inserts_wait_for_shards: bool = True
    """`insert_distributed_sync`: answered when the shards have the rows."""
    inserts_wait_for_copies: bool = True
    """`insert_quorum`: answered when `REPLICAS_MUST_HAVE` replicas have the rows."""
    settled_after_an_answer: bool = True
    """A batch whose insert got no answer stays in the ledger."""
    earlier_inserts_are_stopped: bool = True
    """`presence.stop_earlier` before the look of a further attempt."""
    silent_replicas_are_proved_dead: bool = True
    """A replica that cannot be asked to stop must have lost its session: `Cluster.kill`."""
    earlier_inserts_are_stopped_before_a_split: bool = True
    """Halves have other ids, under which a batch's queries are not found."""
    earlier_inserts_are_stopped_before_isolating: bool = True
    """The same, when a batch is halved to find a refused chunk."""
    further_attempts_look: bool = True
    """`presence.missing` before what is inserted again."""
    halves_look: bool = True
    """Their attempts start above one: `split.lua`."""
    look_asks_all_replicas: bool = True
    """Not just any: `Cluster.on_all_with_rows`."""
    look_catches_up_for_silent_replicas: bool = True
    """If a replica cannot be asked, another one must have fetched what it had."""
    look_counts_copies: bool = True
    """Rows on too few replicas are waited for."""
    look_goes_by_day: bool = True
    """Rows of a chunk are missed by chunk and day."""
    look_follows_a_further_insert: bool = True
    """ClickHouse drops a block like one that it had and has lost: insert it again as a new one."""
    chunk_is_on_one_shard: bool = True
    """Sharding by `ChunkId`."""
    commits_need_a_session: bool = True
    """ClickHouse: a part counts when ZooKeeper has it."""
    equal_blocks_are_dropped: bool = True
    """ClickHouse: deduplication of replicated tables."""
    late_requests_are_dropped: bool = True
    """Requests do not wait in a kernel for longer than their worker's lease lasts."""


ALL = tuple(field.name for field in fields(Rules))
