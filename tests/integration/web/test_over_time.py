"""Log records over time by a field's values, and versions that appear, compared with the rows."""

from collections import Counter, defaultdict

import pytest

from tests.integration.web.test_exploration import fields_of, get, searches
from tests.integration.web.test_filters import holds

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    "by", ["severity", "service_name", "service_version", "attributes[region]"]
)
def test_each_bucket_counts_the_most_frequent_values_of_the_field(client, seeded, whole_range, by):
    for query in searches(whole_range, by, 4):
        answer = get(client, "histogram", {**query, "buckets": 13, "by": by, "values": 3})
        counts, whole = defaultdict(Counter), Counter()
        for row in seeded:
            if holds(row, query):
                value = fields_of(row).get(by)
                start = row["Timestamp"] // 10**6 // answer["interval_ms"] * answer["interval_ms"]
                if value:
                    counts[start][value] += 1
                    whole[value] += 1
        shown = {
            value for value, _ in sorted(whole.items(), key=lambda each: (-each[1], each[0]))[:3]
        }
        for bucket in answer["buckets"]:
            expected = {
                value: count
                for value, count in counts[bucket["start_ms"]].items()
                if value in shown
            }
            assert bucket["by_value"] == expected
            assert sum(expected.values()) <= bucket["count"]


def test_a_histogram_without_a_field_has_no_values(client, whole_range):
    answer = get(client, "histogram", whole_range)
    assert all("by_value" not in bucket for bucket in answer["buckets"])


def test_an_unknown_field_is_refused_with_a_suggestion(client, whole_range):
    response = client.get(
        "/api/v1/logs/histogram", query_string={**whole_range, "by": "service_nam"}
    )
    assert response.status_code == 422
    assert "Did you mean service_name?" in response.text


def test_a_deployment_is_a_version_that_appears_after_another(client, seeded, whole_range):
    first = defaultdict(dict)
    for row in seeded:
        if row["ServiceVersion"] and holds(row, whole_range):
            versions = first[row["ServiceName"]]
            at = versions.get(row["ServiceVersion"], row["Timestamp"])
            versions[row["ServiceVersion"]] = min(at, row["Timestamp"])
    expected = {
        (service, version, at // 10**6)
        for service, versions in first.items()
        for version, at in versions.items()
        if at > min(versions.values())
    }
    found = get(client, "deployments", whole_range)["deployments"]
    assert {
        (each["service_name"], each["service_version"], each["first_ms"]) for each in found
    } == expected
    assert [each["first_ms"] for each in found] == sorted(
        (each["first_ms"] for each in found), reverse=True
    )
