"""Series that the engine computes, against a plain computation data point by data point."""

import itertools
import statistics
from collections import Counter, defaultdict

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from storage.client import Clickhouse
from storage.metrics.distribution import (
    ExplicitBuckets,
    ExponentialBuckets,
    Extremes,
    explicit_quantile,
    exponential_quantile,
)
from storage.metrics.filters import MetricFilters
from storage.metrics.read import SeriesQuery, metric_series
from storage.metrics.streams import Windows
from storage.sql import TimeRange
from tests.integration.made_metrics import BASE_S, CUMULATIVE, DELTA, Stream, put_metrics

pytestmark = pytest.mark.integration

STEP, WINDOWS, LOOKBACK = 60, 5, 3600
SPAN = TimeRange(BASE_S * 10**9, (BASE_S + STEP * WINDOWS) * 10**9 - 1)

names = (f"metric-series-{number}" for number in itertools.count())
engine_example = settings(
    deadline=None,
    max_examples=15,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def stored(migrated):
    """Store streams in a new workspace; the function given back asks for series of them."""
    clickhouse = Clickhouse(migrated)

    def store(streams):
        workspace = next(names)
        put_metrics(migrated, workspace, *streams)

        def ask(aggregation, quantile=0.5):
            query = SeriesQuery(
                filters=MetricFilters(workspace_id=workspace, metric=streams[0].name),
                windows=Windows(SPAN, STEP * 1000),
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
        begun = [draw(st.none() | st.sampled_from([-20_000, *instants]))]
        for _ in instants[1:]:
            begun.append(draw(st.sampled_from([begun[-1]] * 4 + [None, *instants])))
        points = [
            {"time": time, "start": None if start is None else min(start, time), **draw(point)}
            for time, start in zip(instants, begun, strict=True)
        ]
        made.append(
            Stream(
                kind=kind,
                points=points,
                temporality=draw(st.sampled_from([CUMULATIVE, CUMULATIVE, DELTA])),
                monotonic=draw(st.sampled_from([True, True, False])),
                attributes={"number": str(number), "group": draw(st.sampled_from("ab"))},
            )
        )
    # A metric without a data point that is looked at is not known.
    assume(any(stream.points[-1]["time"] >= -LOOKBACK for stream in made))
    return made


def added(stream, dropped):
    """Each data point in the windows, and what it adds to: 0 (None), the one before, or nothing.

    Gives triples of data point, whether anything is known, and the data point to subtract.
    """
    before = None
    for point in stream.points:
        if point["time"] < -LOOKBACK:
            continue
        start, time = point["start"], point["time"]
        if stream.kind != "summary" and stream.temporality == DELTA:
            basis = (True, None)
        elif before is None:
            basis = (start is not None and -LOOKBACK <= start < time, None)
        elif None not in {start, before["start"]} and start != before["start"]:
            basis = (start != time, None)
        else:
            basis = (True, None if dropped(point, before) else before)
        before = point
        if time >= 0:
            yield point, *basis


def grouped(streams, dropped):
    """What `added` gives, by group and window, with the stream's number."""
    found = defaultdict(list)
    for number, stream in enumerate(streams):
        for point, known, before in added(stream, dropped):
            place = stream.attributes["group"], point["time"] // STEP
            found[place].append((number, point, known, before))
    return found


def laid_out(values):
    """Values by group and window as the rows of an answer."""
    return {
        group: [values.get((group, window)) for window in range(WINDOWS)]
        for group in {group for group, _ in values}
    }


def approximately(found):
    return {
        group: [None if value is None else pytest.approx(value, abs=1e-9) for value in values]
        for group, values in found.items()
    }


number_points = st.fixed_dictionaries({"as_double": st.integers(0, 30).map(float)})


def total(values):
    values = [value for value in values if value is not None]
    return sum(values) if values else None


def increase(entries):
    return total(
        point["as_double"] - (before["as_double"] if before else 0)
        for _, point, known, before in entries
        if known
    )


def by_stream(entries, compute):
    streams = defaultdict(list)
    for entry in entries:
        streams[entry[0]].append(entry)
    return [compute(number, own) for number, own in streams.items()]


def values(entries):
    return [point["as_double"] for _, point, *_ in entries]


@engine_example
@given(streams_of("sum", number_points))
def test_sums_are_computed_by_stream_and_then_added(stored, streams):
    # A drop means a restart only of what cannot go down.
    groups = {}
    for number, stream in enumerate(streams):
        for place, entries in grouped(
            [stream],
            lambda now, before, stream=stream: (
                stream.monotonic and now["as_double"] < before["as_double"]
            ),
        ).items():
            groups.setdefault(place, []).extend((number, *rest) for _, *rest in entries)

    def sum_of_stream(number, own):
        stream = streams[number]
        adds = stream.monotonic or stream.temporality == DELTA
        return increase(own) if adds else values(own)[-1]

    expected = {
        "increase": increase,
        "sum": lambda entries: total(by_stream(entries, sum_of_stream)),
        "avg": lambda entries: statistics.fmean(
            by_stream(entries, lambda _, own: statistics.fmean(values(own)))
        ),
        "min": lambda entries: min(values(entries)),
        "max": lambda entries: max(values(entries)),
        "count": len,
    }
    ask = stored(streams)
    for aggregation, compute in expected.items():
        wanted = laid_out({place: compute(entries) for place, entries in groups.items()})
        assert ask(aggregation) == approximately(wanted), aggregation


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


def fewer(now, before):
    return now["count"] < before["count"] or any(
        one < other
        for one, other in zip(now["bucket_counts"], before["bucket_counts"], strict=True)
    )


@engine_example
@given(streams_of("histogram", histogram_points), st.floats(0, 1))
def test_histograms_are_compared_bucket_by_bucket(stored, streams, quantile):
    ask, counts, quantiles = stored(streams), {}, {}
    for place, entries in grouped(streams, fewer).items():
        known = [(point, before) for _, point, known, before in entries if known]
        counts[place] = total(
            point["count"] - (before["count"] if before else 0) for point, before in known
        )
        parts = [ExplicitBuckets(BOUNDS, tuple(point["bucket_counts"])) for point, _ in known] + [
            ExplicitBuckets(BOUNDS, tuple(-count for count in before["bucket_counts"]))
            for _, before in known
            if before
        ]
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


def coarser_and_more(now, before):
    return (
        now["count"] < before["count"]
        or now["zero_count"] < before["zero_count"]
        or now["scale"] > before["scale"]
    )


def buckets_of(point, scale):
    """The buckets of both sides at a coarser scale, by sign and index."""
    found = Counter()
    for side in ("positive", "negative"):
        for number, count in enumerate(point[side]["bucket_counts"]):
            index = (point[side]["offset"] + number) // 2 ** (point["scale"] - scale)
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
        zeros, buckets = 0, Counter()
        for point, before in known:
            zeros += point["zero_count"] - (before["zero_count"] if before else 0)
            buckets.update(buckets_of(point, scale))
            buckets.subtract(buckets_of(before, scale) if before else {})
        sides = [
            {index: count for (name, index), count in buckets.items() if name == side}
            for side in ("positive", "negative")
        ]
        part = ExponentialBuckets(scale, zeros, *sides)
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
    assert mean == pytest.approx(statistics.fmean(value / 16 for value in values) * 16)


def test_counts_of_histograms_add_up_beyond_64_bits(stored):
    most = 2**64 - 1
    points = [
        {"time": second, "count": most, "sum": 1.7e308, "bucket_counts": [most, 0]}
        | {"explicit_bounds": [1.0]}
        for second in range(3)
    ]
    ask = stored([Stream(kind="histogram", points=points, temporality=DELTA)])
    assert ask("count")[""][0] == pytest.approx(3 * most)
    assert ask("avg")[""][0] == pytest.approx(1.7e308 / most)
    assert ask("quantile", 0.5)[""][0] == pytest.approx(0.5)


def test_a_quantile_between_numbers_whose_difference_no_number_holds(stored):
    points = [{"time": 0, "as_double": -1.7e308}, {"time": 1, "as_double": 1.7e308}]
    ask = stored([Stream(kind="gauge", points=points)])
    assert [ask("quantile", level)[""][0] for level in (0.0, 0.5, 1.0)] == [-1.7e308, 0, 1.7e308]


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
