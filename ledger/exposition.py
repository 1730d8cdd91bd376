"""The ledger's metrics for Prometheus: the same from every process."""

from collections.abc import Iterator, Sequence

import prometheus_client
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric as Family

from config import metrics
from ledger.ledger import BrokerError
from ledger.ledgers import AnyLedger
from ledger.space import Space
from ledger.states import LedgerState, states_of
from ledger.waiting import LedgerStats

CONTENT_TYPE = prometheus_client.CONTENT_TYPE_LATEST


def exposition(ledger: AnyLedger, space: Space) -> bytes:
    """All metrics of `config.metrics`, and those of this process, in Prometheus' text format."""
    registry = prometheus_client.CollectorRegistry()
    registry.register(_Figures(ledger, space))
    return prometheus_client.generate_latest() + prometheus_client.generate_latest(registry)


class _Figures:
    """A collector for the registry."""

    def __init__(self, ledger: AnyLedger, space: Space) -> None:
        self._ledger = ledger
        self._space = space

    def collect(self) -> Iterator[Family]:
        yield from _of_space(self._space)
        if len(self._ledger.all) > 1:
            yield from _of_ledgers(states_of(self._ledger))
        up = metrics.BROKER_UP
        try:
            stats = self._ledger.waiting.stats()
        except BrokerError:
            yield GaugeMetricFamily(up.name, up.meaning, value=0)
            return
        yield GaugeMetricFamily(up.name, up.meaning, value=1)
        for name, metric in metrics.WAITING.items():
            yield GaugeMetricFamily(metric.name, metric.meaning, value=getattr(stats, name))
        for name, metric in metrics.TOTALS.items():
            yield _counter(name, metric, stats)


def _of_space(space: Space) -> Iterator[Family]:
    for name, metric in metrics.SPACE.items():
        value = getattr(space, name)
        if value is not None:
            yield GaugeMetricFamily(metric.name, metric.meaning, value=value)
    if space.short:
        metric = metrics.SHORT_OF_SPACE
        family = GaugeMetricFamily(metric.name, metric.meaning, labels=metric.labels)
        for store, is_short in space.short.items():
            family.add_metric([store], int(is_short))
        yield family


def _of_ledgers(states: Sequence[LedgerState]) -> Iterator[Family]:
    up, waiting = metrics.LEDGER_UP, metrics.LEDGER_WAITING
    ups = GaugeMetricFamily(up.name, up.meaning, labels=up.labels)
    sizes = GaugeMetricFamily(waiting.name, waiting.meaning, labels=waiting.labels)
    for each in states:
        ups.add_metric([each.name], int(each.state == "ok"))
        if each.stats:
            sizes.add_metric([each.name], each.stats.waiting_bytes)
    yield from (ups, sizes)


def _counter(name: str, metric: metrics.ExposedMetric, stats: LedgerStats) -> Family:
    family = CounterMetricFamily(metric.name, metric.meaning, labels=metric.labels)
    if not metric.labels:
        family.add_metric([], stats.totals.get(name, 0))
    for total, value in stats.totals.items():
        counted, _, signal = total.partition(":")
        if counted == name and signal:
            family.add_metric([signal], value)
    return family
