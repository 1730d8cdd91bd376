"""Series from the engine, compared with a plain computation data point by data point."""

import itertools
import statistics
from collections import Counter, defaultdict
from functools import partial

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from storage.clickhouse.client import Clickhouse
from storage.query.metrics.distribution import (
    ExplicitBuckets,
    ExponentialBuckets,
    Extremes,
    explicit_quantile,
    exponential_quantile,
)
from storage.query.metrics.filters import MetricFilters
from storage.query.metrics.read import SeriesQuery, metric_series
from storage.query.metrics.streams import Windows
from storage.time_range import TimeRange
from tests.integration.made_metrics import BASE_S, CUMULATIVE, DELTA, Stream, put_metrics

pytestmark = pytest.mark.integration

STEP, WINDOWS, LOOKBACK = 60, 5, 3600
TIME_RANGE = TimeRange(BASE_S * 10**9, (BASE_S + STEP * WINDOWS) * 10**9 - 1)

names = (f"metric-series-{number}" for number in itertools.count())
engine_example = settings(
    deadline=None,
    max_examples=15,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def stored(migrated):
    """Store streams in a new workspace; returns a function that asks for their series."""
    clickhouse = Clickhouse(migrated)

    def store(streams):
        workspace = next(names)
        put_metrics(migrated, workspace, *streams)

        def ask(aggregation, quantile=0.5):
            query = SeriesQuery(
                filters=MetricFilters(workspace_id=workspace, metric=streams[0].name),
                windows=Windows(TIME_RANGE, STEP * 1000),
                aggregation=aggregation,
                quantile=quantile,
                by=("group",),
            )
            found = metric_series(clickhouse, migrated, query)
            return {each.labels["group"]: each.values for each in found.series}

        return ask

    yield store
    clickhouse.close()


times = st.lists(
    st.one_of(st.integers(0, STEP * WINDOWS - 1), st.integers(-LOOKBACK - 200, -1)),
    min_size=1,
    max_size=12,
    unique=True,
).map(sorted)


@st.composite
def streams_of(draw, kind, point):
    """Up to four streams, each told apart by its number, in two groups."""
    made = []
    for number in range(draw(st.integers(1, 4))):
        instants = draw(times)
        starts = [draw(st.none() | st.sampled_from([-20_000, *instants]))]
        for _ in instants[1:]:
            # Most often a data point has the start of the one before.
            starts.append(draw(st.sampled_from([starts[-1]] * 4 + [None, *instants])))

        points = []
        for time, start in zip(instants, starts, strict=True):
            not_later = None if start is None else min(start, time)
            points.append({"time": time, "start": not_later, **draw(point)})

        stream = Stream(
            kind=kind,
            points=points,
            temporality=draw(st.sampled_from([CUMULATIVE, CUMULATIVE, DELTA])),
            monotonic=draw(st.sampled_from([True, True, False])),
            attributes={"number": str(number), "group": draw(st.sampled_from("ab"))},
        )
        made.append(stream)
    # A metric without a data point in reach is not known.
    assume(any(stream.points[-1]["time"] >= -LOOKBACK for stream in made))
    return made


def added(stream, dropped):
    """Each data point in the windows with what must be subtracted from it.

    Yields triples: the data point; whether its increase is known; the data point before it to
    subtract, None for zero. `dropped(point, before)` tells a restart by the values.
    """
    before = None
    for point in stream.points:
        start, time = point["start"], point["time"]
        if time < -LOOKBACK:
            continue
        if stream.kind != "summary" and stream.temporality == DELTA:
            known, subtracted = True, None
        elif before is None:
            known, subtracted = start is not None and -LOOKBACK <= start < time, None
        elif None not in {start, before["start"]} and start != before["start"]:
            known, subtracted = start != time, None
        elif dropped(point, before):
            known, subtracted = True, None
        else:
            known, subtracted = True, before
        before = point
        if time >= 0:
            yield point, known, subtracted


def grouped(streams, dropped):
    """What `added` gives, by group and window, with the stream's number first.

    `dropped(stream, point, before)` tells a restart by the values.
    """
    found = defaultdict(list)
    for number, stream in enumerate(streams):
        for point, known, before in added(stream, partial(dropped, stream)):
            window = point["time"] // STEP
            found[stream.attributes["group"], window].append((number, point, known, before))
    return found


def laid_out(values):
    """Values by group and window as the rows of an answer."""
    groups = {group for group, _ in values}
    return {group: [values.get((group, window)) for window in range(WINDOWS)] for group in groups}


def approximately(found):
    return {group: [near(value) for value in values] for group, values in found.items()}


number_points = st.fixed_dictionaries({"as_double": st.integers(0, 30).map(float)})


def near(value):
    return None if value is None else pytest.approx(value, abs=1e-9)


def total(values):
    values = [value for value in values if value is not None]
    return sum(values) if values else None


def difference(field, point, before):
    return point[field] - (before[field] if before else 0)


def increase(entries):
    return total(
        difference("as_double", point, before) for _, point, known, before in entries if known
    )


def by_stream(entries, compute):
    """What `compute(number, entries)` gives for the entries of each stream."""
    streams = defaultdict(list)
    for entry in entries:
        streams[entry[0]].append(entry)
    return [compute(number, of_stream) for number, of_stream in streams.items()]


def values(entries):
    return [point["as_double"] for _, point, *_ in entries]


def mean_of_means(entries):
    means = by_stream(entries, lambda _, of_stream: statistics.fmean(values(of_stream)))
    return statistics.fmean(means)


def restarted(stream, now, before):
    # A drop means a restart only in a stream that cannot go down.
    return stream.monotonic and now["as_double"] < before["as_double"]


@engine_example
@given(streams_of("sum", number_points))
def test_sums_are_computed_by_stream_and_then_added(stored, streams):
    def sum_of_stream(number, entries):
        stream = streams[number]
        adds_up = stream.monotonic or stream.temporality == DELTA
        return increase(entries) if adds_up else values(entries)[-1]

    expected = {
        "increase": increase,
        "sum": lambda entries: total(by_stream(entries, sum_of_stream)),
        "avg": mean_of_means,
        "min": lambda entries: min(values(entries)),
        "max": lambda entries: max(values(entries)),
        "count": len,
    }
    ask = stored(streams)
    groups = grouped(streams, restarted)

    for aggregation, compute in expected.items():
        wanted = {place: compute(entries) for place, entries in groups.items()}
        assert ask(aggregation) == approximately(laid_out(wanted)), aggregation


BOUNDS = (1.0, 2.0, 4.0)
bucket_counts = st.lists(st.integers(0, 6), min_size=4, max_size=4)
histogram_points = bucket_counts.map(
    lambda counts: {
        "bucket_counts": counts,
        "explicit_bounds": BOUNDS,
        "count": sum(counts),
        "sum": 3.0 * sum(counts),
    }
)


def fewer(_stream, now, before):
    buckets = zip(now["bucket_counts"], before["bucket_counts"], strict=True)
    return now["count"] < before["count"] or any(one < other for one, other in buckets)


@engine_example
@given(streams_of("histogram", histogram_points), st.floats(0, 1))
def test_histograms_are_compared_bucket_by_bucket(stored, streams, quantile):
    ask, counts, quantiles = stored(streams), {}, {}
    for place, entries in grouped(streams, fewer).items():
        known = [(point, before) for _, point, known, before in entries if known]
        counts[place] = total(difference("count", point, before) for point, before in known)

        parts = []
        for point, before in known:
            parts.append(ExplicitBuckets(BOUNDS, tuple(point["bucket_counts"])))
            if before:
                subtracted = tuple(-count for count in before["bucket_counts"])
                parts.append(ExplicitBuckets(BOUNDS, subtracted))
        if parts:
            quantiles[place] = explicit_quantile(quantile, parts, Extremes())

    assert ask("count") == laid_out(counts)
    assert ask("quantile", quantile) == approximately(laid_out(quantiles))


@st.composite
def exponential_points(draw):
    scale = draw(st.integers(-1, 3))
    sides = [draw(st.lists(st.integers(0, 4), max_size=4)) for _ in range(2)]
    zeros = draw(st.integers(0, 3))
    return {
        "scale": scale,
        "zero_count": zeros,
        "positive": {"offset": draw(st.integers(-6, 6)), "bucket_counts": sides[0]},
        "negative": {"offset": draw(st.integers(-6, 6)), "bucket_counts": sides[1]},
        "count": zeros + sum(map(sum, sides)),
        "sum": 1.0,
    }


def coarser_and_more(_stream, now, before):
    return (
        now["count"] < before["count"]
        or now["zero_count"] < before["zero_count"]
        or now["scale"] > before["scale"]
    )


def buckets_of(point, scale):
    """The buckets of both sides at a coarser scale, by side and index."""
    found = Counter()
    merged = 2 ** (point["scale"] - scale)
    for side in ("positive", "negative"):
        for number, count in enumerate(point[side]["bucket_counts"]):
            index = (point[side]["offset"] + number) // merged
            found[side, index] += count
    return found


@engine_example
@given(streams_of("exponential_histogram", exponential_points()), st.floats(0, 1))
def test_exponential_histograms_are_compared_at_the_coarser_scale(stored, streams, quantile):
    ask, quantiles = stored(streams), {}
    for place, entries in grouped(streams, coarser_and_more).items():
        known = [(point, before) for _, point, known, before in entries if known]
        if not known:
            continue

        scale = min(point["scale"] for point, _ in known)
        zeros = sum(difference("zero_count", point, before) for point, before in known)
        buckets = Counter()
        for point, before in known:
            buckets.update(buckets_of(point, scale))
            if before:
                buckets.subtract(buckets_of(before, scale))

        positive, negative = {}, {}
        for (side, index), count in buckets.items():
            counts = positive if side == "positive" else negative
            counts[index] = count
        part = ExponentialBuckets(scale, zeros, positive, negative)
        quantiles[place] = exponential_quantile(quantile, [part], Extremes())

    assert ask("quantile", quantile) == approximately(laid_out(quantiles))


@pytest.mark.parametrize("values", [[1.7e308] * 3, [-1.7e308] * 4, [1.7e308, -1.7e308, 3.0]])
def test_a_mean_is_that_of_numbers_whose_sum_no_number_holds(stored, values):
    points = [{"time": second, "as_double": value} for second, value in enumerate(values)]
    streams = [
        Stream(kind="gauge", points=points, resource={"group": "one", "host": host})
        for host in ("a", "b", "c")
    ]
    [mean, *_] = stored(streams)("avg")["one"]

    # Python's sum would overflow too: compute with a sixteenth of each.
    sixteenths = statistics.fmean(value / 16 for value in values)
    assert mean == pytest.approx(sixteenths * 16)


def test_counts_of_histograms_add_up_beyond_64_bits(stored):
    most = 2**64 - 1
    point = {"count": most, "sum": 1.7e308, "bucket_counts": [most, 0], "explicit_bounds": [1.0]}
    points = [{"time": second, **point} for second in range(3)]
    ask = stored([Stream(kind="histogram", points=points, temporality=DELTA)])

    assert ask("count")[""][0] == pytest.approx(3 * most)
    assert ask("avg")[""][0] == pytest.approx(1.7e308 / most)
    assert ask("quantile", 0.5)[""][0] == pytest.approx(0.5)


def test_a_quantile_between_numbers_whose_difference_no_number_holds(stored):
    points = [{"time": 0, "as_double": -1.7e308}, {"time": 1, "as_double": 1.7e308}]
    ask = stored([Stream(kind="gauge", points=points)])
    quantiles = [ask("quantile", level)[""][0] for level in (0.0, 0.5, 1.0)]
    assert quantiles == [-1.7e308, 0, 1.7e308]


def of_group(kind, *points, group="a", **stream):
    return Stream(kind=kind, points=list(points), attributes={"group": group}, **stream)


def first_of(found):
    return {group: values[0] for group, values in found.items()}


def test_points_without_a_value_count_for_nothing(stored):
    for kind in ("gauge", "sum"):
        points = [
            {"time": 0, "as_double": 2.0},
            {"time": 1},
            {"time": 2, "as_double": float("nan")},
            {"time": 3, "as_int": 4},
            {"time": 4},
        ]
        nothing = of_group(kind, {"time": 0}, {"time": 1}, group="b")
        ask = stored([of_group(kind, *points, temporality=DELTA), nothing])
        wanted = {"count": 2, "avg": 3, "min": 2, "max": 4, "last": 4}
        wanted["sum"] = 4 if kind == "gauge" else 6
        for aggregation, value in wanted.items():
            assert first_of(ask(aggregation)) == {"a": value}, aggregation
        assert first_of(ask("quantile", 1.0)) == {"a": 4}


@pytest.mark.parametrize("kind", ["histogram", "exponential_histogram"])
def test_what_a_histogram_does_not_say_is_not_zero(stored, kind):
    said = {"time": 0, "count": 2, "sum": 6.0, "min": -1.0, "max": 7.0}
    zeros = {"time": 1, "count": 1, "sum": 0.0, "min": 0.0, "max": 0.0}
    unsaid = {"time": 2, "count": 3}
    ask = stored(
        [
            of_group(kind, said, unsaid, temporality=DELTA),
            of_group(kind, unsaid, group="b", temporality=DELTA),
            of_group(kind, zeros, group="c", temporality=DELTA),
        ]
    )

    for aggregation, wanted in {
        "count": {"a": 5, "b": 3, "c": 1},
        "sum": {"a": 6, "b": None, "c": 0},
        "avg": {"a": 3, "b": None, "c": 0},
        "min": {"a": -1, "b": None, "c": 0},
        "max": {"a": 7, "b": None, "c": 0},
    }.items():
        assert first_of(ask(aggregation)) == wanted, aggregation


def test_an_infinite_value_is_left_out_of_the_answer(stored):
    ask = stored([of_group("gauge", {"time": 0, "as_double": float("inf")})])
    assert first_of(ask("max")) == {"a": None}
