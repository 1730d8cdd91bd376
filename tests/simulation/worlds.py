"""Worlds in which a broken rule shows soon."""

from tests.simulation.world import Scale

CLUSTER = Scale()
"""Two shards of three replicas; everything happens."""

REFUSED = Scale(refused=0.2, faults=(("cut_off", 2), ("disk_stalls", 2)), faults_per_second=0.8)
"""Many rows that ClickHouse never accepts, and inserts that outlast their workers' patience."""

TWO_REPLICAS = Scale(replicas=2)
"""One copy counts as stored."""

SINGLE = Scale(
    shards=1,
    replicas=1,
    ledgers=1,
    faults=(("freeze", 1), ("kill", 1), ("disk_stalls", 1), ("cut_one_link", 1)),
    faults_per_second=0.6,
)
"""One server, which has no ZooKeeper and drops no equal blocks."""

FROZEN_WORKERS = Scale(
    shards=1,
    replicas=1,
    ledgers=1,
    faults=(("freeze", 1),),
    broken="workers",
    faults_per_second=0.5,
)
"""One server, whose workers freeze for longer than their leases."""

CUT_LINKS = Scale(
    shards=1, replicas=1, ledgers=1, faults=(("cut_one_link", 1),), faults_per_second=1.0
)
"""One server behind links that are cut for up to two minutes."""

NO_ZOOKEEPER = ("equal_blocks_are_dropped", "commits_need_a_session")

FROZEN_HOSTS = Scale(faults=(("freeze", 1),), broken="replicas", faults_per_second=0.1)
"""A cluster whose hosts wake with requests that others have carried out meanwhile."""

BARE = Scale(
    refused=0.2,
    faults=(("kill", 1), ("cut_off", 2), ("disk_stalls", 1)),
    broken="replicas",
)
"""A cluster where ClickHouse's own deduplication is off, so that it does not mend our mistakes."""

STALLED = Scale(
    faults=(("cut_off", 1), ("disk_stalls", 1)), broken="replicas", faults_per_second=1.0
)
"""The same, where replicas cannot be asked, although an insert still runs there."""

UNFETCHED = Scale(
    replicas=2, faults=(("kill", 2), ("cut_off", 1)), broken="replicas", faults_per_second=1.0
)
"""The same with two replicas, which end before the other one has fetched their rows."""

TWO_COPIES = Scale(
    replicas=2,
    shards=1,
    ledgers=1,
    doors=1,
    workers=2,
    faults=(("cut_one_link", 1),),
    faults_per_second=2.0,
)
"""Two replicas that must both have what is stored, and often cannot fetch from each other."""

SETTINGS = {TWO_COPIES: {"replicas_must_have": 2}}
"""By world, settings other than the defaults."""

NO_DEDUPLICATION = ("equal_blocks_are_dropped",)

WITHOUT = {
    CLUSTER: (),
    REFUSED: (),
    TWO_REPLICAS: (),
    SINGLE: NO_ZOOKEEPER,
    FROZEN_WORKERS: NO_ZOOKEEPER,
    CUT_LINKS: NO_ZOOKEEPER,
    FROZEN_HOSTS: (),
    BARE: NO_DEDUPLICATION,
    STALLED: NO_DEDUPLICATION,
    UNFETCHED: NO_DEDUPLICATION,
    TWO_COPIES: (),
}
"""By world, the rules that do not hold in it."""

BROKEN = {
    "ledger_syncs_before_it_answers": CLUSTER,
    "ledger_knows_requests": CLUSTER,
    "tenant_has_one_ledger": CLUSTER,
    "workers_look_without_hints": CLUSTER,
    "leases_expire": CLUSTER,
    "leases_are_fenced": FROZEN_WORKERS,
    "inserts_begin_in_time": FROZEN_WORKERS,
    "inserts_are_sent_once": BARE,
    "errors_end_an_insert": BARE,
    "inserts_wait_for_shards": CLUSTER,
    "inserts_wait_for_copies": CLUSTER,
    "settled_after_an_answer": CLUSTER,
    "earlier_inserts_are_stopped": SINGLE,
    "silent_replicas_are_proved_dead": STALLED,
    "earlier_inserts_are_stopped_before_a_split": SINGLE,
    "earlier_inserts_are_stopped_before_isolating": REFUSED,
    "further_attempts_look": CLUSTER,
    "halves_look": CLUSTER,
    "look_asks_all_replicas": CLUSTER,
    "look_catches_up_for_silent_replicas": UNFETCHED,
    "look_counts_copies": TWO_COPIES,
    "look_goes_by_day": CLUSTER,
    "look_follows_a_further_insert": TWO_REPLICAS,
    "chunk_is_on_one_shard": CLUSTER,
    "commits_need_a_session": CLUSTER,
    "equal_blocks_are_dropped": FROZEN_HOSTS,
    "late_requests_are_dropped": CUT_LINKS,
}
"""By rule, the world in which it is broken."""
