"""Hands the metrics to prometheus_client, which writes them in the format that is asked for."""

from collections.abc import Iterator
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from flashdeckd.host import clock
from flashdeckd.metrics.job_tally import BUCKETS, JobTally, Spread
from flashdeckd.metrics.metric_list import METRICS, MetricDescription, MetricKind, Watched
from flashdeckd.state.hub import Hub

FRESH_SECONDS: Final = 0.5
"""The numbers are put together at most this often: whoever asks again at once is sent the same."""
_LIMITS: Final = (*map(str, BUCKETS), "+Inf")


class HubCollector(Collector):
    """All metrics, as the hub and the tally have them when they are asked for."""

    def __init__(self, hub: Hub, tally: JobTally) -> None:
        self._hub = hub
        self._tally = tally
        # One of its own: the library's global registry measures the interpreter, and nobody asked for that.
        self._registry = CollectorRegistry()
        self._registry.register(self)
        self._made: dict[str, tuple[float, bytes]] = {}

    def collect(self) -> Iterator[Metric]:
        """Yield each metric with its values."""
        hub = self._hub
        self._tally.forget_all_but(hub.boards, {board.profile for board in hub.boards.values()})
        watched = Watched(
            hub.daemon,
            tuple(hub.boards.values()),
            tuple(hub.jobs.values()),
            self._tally,
            slots=tuple(hub.slots.values()),
            lots=tuple(hub.lots.values()),
            units=hub.units_gone,
        )
        for metric in METRICS:
            yield _family(metric, watched)

    def page(self, accept: str) -> tuple[bytes, str]:
        """Return the numbers in the format that an Accept header wants most, and its content type."""
        try:
            encode, kind = choose_encoder(accept)
        except (TypeError, ValueError):  # a version that is none
            encode, kind = choose_encoder("")
        now = clock.monotonic()
        at, page = self._made.get(kind, (-FRESH_SECONDS, b""))
        if now - at >= FRESH_SECONDS:
            page = encode(self._registry)
            self._made = {**{each: made for each, made in self._made.items() if now - made[0] < FRESH_SECONDS}}
            self._made[kind] = now, page
        return page, kind


def _family(metric: MetricDescription, watched: Watched) -> Metric:
    values = metric.values(watched)
    match metric.kind:
        case MetricKind.HISTOGRAM:
            family = HistogramMetricFamily(metric.name, metric.meaning, labels=metric.labels)
            for labels, spread in values:
                assert isinstance(spread, Spread)  # noqa: S101 - a histogram's values are
                buckets = list(zip(_LIMITS, map(float, accumulate(spread.counts)), strict=True))
                family.add_metric(labels, buckets, spread.total)
            return family
        case MetricKind.INFO:
            family = InfoMetricFamily(metric.name, metric.meaning)
            for labels, _ in values:
                family.add_metric((), dict(zip(metric.labels, labels, strict=True)))
            return family
        case MetricKind.COUNTER:
            family = CounterMetricFamily(metric.name, metric.meaning, labels=metric.labels)
        case MetricKind.GAUGE:
            family = GaugeMetricFamily(metric.name, metric.meaning, labels=metric.labels)
    for labels, value in values:
        assert not isinstance(value, Spread)  # noqa: S101 - only a histogram's are
        family.add_metric(labels, float(value))
    return family
