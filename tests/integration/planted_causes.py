"""Log records with a planted cause among fields of noise, ids and correlated values."""

import random
from dataclasses import dataclass

FIRST_NS = 1_785_000_000 * 10**9
LENGTH_NS = 4 * 600 * 10**9
"""Forty minutes, of which the last ten are the selection."""

SELECTED_NS = FIRST_NS + 3 * LENGTH_NS // 4
KINDS = ("version", "resource", "attribute", "pattern")

# What sipHash64 gives for a row, a seed and a number is as good as random. Noise has from 2 to 5000
# values, evenly and unevenly distributed; `drift` is a little more frequent in the selection.
_FILL = """
INSERT INTO otel_logs (Timestamp, SeverityNumber, ServiceName, ServiceVersion, Body,
    ResourceAttributes, ScopeName, LogAttributes, WorkspaceId, ClientId, ChunkId, ChunkRow)
WITH
    {first} + intDiv({length} * number, {rows}) AS ns,
    ns >= {selected} AS late,
    (i, n) -> sipHash64(number, {seed}, i) %% n AS noise,
    (i, n) -> toUInt64(floor(n * pow(noise(i, 1000000) / 1000000, 3))) AS skewed,
    noise(1, 100000) < if(late, {share} * 100000, {before} * 100000) AS bad,
    concat('service-', toString(skewed(2, 12))) AS service,
    ['a', 'b', 'c'][noise(3, 3) + 1] AS letter
SELECT
    fromUnixTimestamp64Nano(toInt64(ns)), [5, 9, 9, 9, 13, 17][noise(4, 6) + 1], service,
    if(bad AND '{kind}' = 'version', 'planted', '1.0'),
    if(bad AND '{kind}' = 'pattern', concat('planted ', toString(noise(5, 90))),
        concat(['get', 'put', 'drop'][noise(6, 3) + 1], ' ', ['cart', 'order'][noise(7, 2) + 1],
        ' took ', toString(noise(8, 5000)), ' ms')),
    map('service.name', service, 'service.version', if(bad AND '{kind}' = 'version', 'planted',
        '1.0'), 'host.name', concat('host-', toString(noise(9, 40))),
        'pod', concat(service, '-', letter, if(bad, '-new', '')),
        'cause', if(bad AND '{kind}' = 'resource', 'planted', ['x', 'y'][noise(10, 2) + 1])),
    ['http', 'db', 'queue'][skewed(11, 3) + 1],
    map('request.id', hex(sipHash128(number, {seed})), 'user', toString(skewed(12, 5000)),
        'duration', toString(noise(13, 100000) / 100), 'thread', toString(noise(14, 64)),
        'status', toString(200 + skewed(15, 9)), 'tenth', toString(noise(16, 10)),
        'drift', if(noise(17, 1000) < 300 + 20 * late, 'yes', 'no'),
        'cause', if(bad AND '{kind}' = 'attribute', 'planted', ['x', 'y'][noise(18, 2) + 1])),
    '{workspace}', 'default', {seed}, number
FROM numbers({rows})
"""

_FIELDS = {
    "version": "service_version",
    "resource": "resource[cause]",
    "attribute": "attributes[cause]",
    "pattern": "pattern",
}


@dataclass(frozen=True)
class Trial:
    """A workspace in which a share of the selection's records has a planted cause."""

    seed: int
    rows: int = 40_000

    @property
    def workspace(self):
        return f"trial-{self.seed}"

    @property
    def kind(self):
        return KINDS[self.seed % len(KINDS)]

    @property
    def arguments(self):
        """What to ask: the last ten minutes against the half hour before."""
        return {
            "workspace_id": self.workspace,
            "start": FIRST_NS,
            "end": FIRST_NS + LENGTH_NS - 1,
            "selection": {"start": SELECTED_NS},
        }

    def fill(self, clickhouse, share=0.01):
        before = random.Random(self.seed).choice([0, 0, 0.0005, 0.001])
        clickhouse.query(
            _FILL.format(
                first=FIRST_NS,
                length=LENGTH_NS,
                selected=SELECTED_NS,
                rows=self.rows,
                seed=self.seed,
                share=share,
                before=before,
                kind=self.kind,
                workspace=self.workspace,
            )
        )

    def is_explained(self, change):
        """Whether a change is the planted cause."""
        terms = [change, *change["same_records"]]
        found = {term["field"]: term["value"] for term in terms}
        return found.get(_FIELDS[self.kind], "").startswith("planted")
