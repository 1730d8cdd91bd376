from worker.write import backoff_seconds


def test_the_wait_doubles_up_to_its_bound_and_never_is_the_same_twice():
    for attempt, longest in [(1, 0.5), (2, 1.0), (3, 2.0), (4, 4.0), (5, 8.0), (6, 15.0)]:
        waits = [backoff_seconds(attempt) for _ in range(200)]
        assert longest / 2 <= min(waits)
        assert max(waits) <= longest
        assert len(set(waits)) > 100


def test_after_any_number_of_attempts_the_wait_stays_bounded():
    assert 7.5 <= backoff_seconds(10_000) <= 15.0
