import threading

import pytest

from ledger.broker import BrokerDoubtError
from storage.clickhouse.errors import UnavailableError
from tasks.jobs.book import JobFilters, LostJobError
from tasks.jobs.run import MOST_DEATHS, JobFailedError
from tests.integration.made_jobs import Worker, order

pytestmark = pytest.mark.integration


@pytest.fixture
def open_worker(settings):
    """Make workers whose jobs run a function of the test."""
    made = []

    def make(work=None, **changes):
        kinds = {"replay": work or count_to_three, "export": work or count_to_three}
        made.append(Worker(settings.model_copy(update=changes), kinds))
        return made[-1]

    yield make
    for each in made:
        each.close()


def count_to_three(work, _stores):
    work.total = 3
    while work.done < 3:
        work.done += 1
        work.save()
    return {"counted": work.done}


def test_a_job_is_queued_then_run_and_keeps_its_result(open_worker):
    worker = open_worker()
    job = worker.book.add(order())
    assert (job.state, worker.look(job)) == ("queued", job)
    assert worker.runner.drain() == 1

    ended = worker.look(job)
    assert (ended.state, ended.done, ended.total) == ("done", 3, 3)
    assert ended.result == {"counted": 3}
    assert job.order.created_ms <= ended.started_ms <= ended.finished_ms
    assert worker.runner.drain() == 0


def test_a_job_asked_for_just_as_the_last_one_ends_is_run_at_once(open_worker, monkeypatch):
    worker = open_worker()
    lease, late = worker.book.lease, []

    def find_none_then_be_asked():
        found = lease()
        if found is None and not late:
            late.append(worker.book.add(order()))
            assert worker.runner.drain() == 0
        return found

    monkeypatch.setattr(worker.book, "lease", find_none_then_be_asked)
    assert worker.runner.drain() == 1
    assert worker.look(late[0]).state == "done"


def test_a_failed_job_says_why(open_worker):
    def fail(_work, _stores):
        raise JobFailedError("there is no such thing")

    worker = open_worker(fail)
    job = worker.run(order())
    assert (job.state, job.error) == ("failed", "there is no such thing")


def test_a_job_waits_while_clickhouse_is_away(open_worker):
    def find_nobody(_work, _stores):
        raise UnavailableError("away")

    worker = open_worker(find_nobody)
    job = worker.run(order())
    assert (job.state, job.error) == ("running", "")
    assert worker.book.lease() is None


def test_a_dead_workers_job_goes_on_from_its_last_step_once_its_lease_is_over(open_worker):
    dead = open_worker(query_max_seconds=0.001, lease_margin=0.001)
    job = dead.book.add(order())
    lease = dead.book.lease()
    dead.book.save(lease, {"done": 2, "notes": b'{"at": 2}'}, seconds=0)

    seen = []

    def go_on(work, _stores):
        seen.append((work.done, work.notes))
        return {}

    worker = open_worker(go_on)
    worker.runner.drain()
    assert seen == [(2, {"at": 2})]
    assert worker.look(job).state == "done"
    with pytest.raises(LostJobError):
        dead.book.save(lease, {"done": 3})
    with pytest.raises(LostJobError):
        dead.book.end(lease, "failed")
    assert worker.look(job).state == "done"


def test_a_job_whose_lease_was_answered_to_nobody_is_run_at_once(open_worker, valkey, proxy):
    gate = proxy(valkey.port)
    through = {"redis_url": f"redis://127.0.0.1:{gate.port}/0", "broker_timeout": 0.3}
    worker = open_worker(**through)
    assert worker.runner.drain() == 0

    job = worker.book.add(order())
    gate.break_next("swallow", 1)
    with pytest.raises(BrokerDoubtError):
        worker.runner.drain()
    assert open_worker().runner.drain() == 0
    assert worker.runner.drain() == 1
    assert worker.look(job).state == "done"


def test_a_job_that_loses_the_broker_in_the_midst_goes_on_by_the_same_worker(
    open_worker, valkey, proxy
):
    gate = proxy(valkey.port)
    through = {"redis_url": f"redis://127.0.0.1:{gate.port}/0", "broker_timeout": 0.3}

    def count(work, _stores):
        for _ in range(work.done, 4):
            work.done += 1
            if work.done == 2 and work.attempt == 1:
                gate.break_next("swallow", 2)
            work.save()
        return {"attempts": work.attempt}

    worker = open_worker(count, **through)
    job = worker.book.add(order())
    worker.runner.drain()
    assert worker.look(job).result == {"attempts": 2}


def test_a_late_holder_notes_nothing_while_the_next_one_is_at_it(open_worker):
    worker = open_worker()
    worker.book.add(order())
    late = worker.book.lease()
    worker.book.save(late, {}, seconds=0)
    now = worker.book.lease()

    assert now.attempt == late.attempt + 1
    with pytest.raises(LostJobError):
        worker.book.save(late, {"done": 99})
    assert worker.book.save(now, {"done": 1})


def test_no_two_workers_hold_a_job_at_the_same_time(open_worker):
    worker = open_worker()
    worker.book.add(order())
    assert worker.book.lease() is not None
    assert worker.book.lease() is None


def test_a_job_that_nobody_began_is_cancelled_at_once(open_worker):
    worker = open_worker()
    job = worker.book.add(order())
    assert worker.book.cancel(job)
    assert worker.look(job).state == "cancelled"
    assert worker.runner.drain() == 0
    assert not worker.book.cancel(job)


def test_a_running_job_is_cancelled_after_its_step(open_worker):
    def cancel_on_the_way(work, _stores):
        work.done = 1
        work.save()
        worker.book.cancel(worker.look(job))
        work.done = 2
        work.save()
        raise AssertionError("it went on")

    worker = open_worker(cancel_on_the_way)
    job = worker.book.add(order())
    worker.runner.drain()
    ended = worker.look(job)

    assert (ended.state, ended.done, ended.result) == ("cancelled", 2, None)


def test_a_worker_that_stops_gives_its_job_back(open_worker):
    steps = []

    def stop_on_the_way(work, _stores):
        steps.append(work.done)
        work.done += 1
        worker.runner.stop()
        work.save()
        raise AssertionError("it went on")

    worker = open_worker(stop_on_the_way)
    job = worker.book.add(order())
    worker.runner.drain()
    assert (steps, worker.look(job).state) == ([0], "running")

    other = open_worker()
    other.runner.drain()
    assert other.look(job).result == {"counted": 3}


def test_a_job_that_takes_its_workers_with_it_fails_in_the_end(open_worker):
    worker = open_worker()
    job = worker.book.add(order())
    short = open_worker(query_max_seconds=0.0005, lease_margin=0.0005)
    for _ in range(MOST_DEATHS):
        while short.book.lease() is None:
            pass
    while worker.runner.drain() == 0:
        pass
    ended = worker.look(job)

    assert ended.state == "failed"
    assert "died" in ended.error


def test_a_worker_runs_one_job_at_a_time(open_worker):
    begun, go_on = threading.Event(), threading.Event()

    def wait(_work, _stores):
        begun.set()
        go_on.wait(30)
        return {}

    worker = open_worker(wait)
    job = worker.book.add(order())
    other = threading.Thread(target=worker.runner.drain)
    other.start()

    try:
        assert begun.wait(30)
        worker.book.add(order())
        assert worker.runner.drain() == 0
    finally:
        go_on.set()
        other.join(30)
    assert worker.look(job).state == "done"


def test_jobs_are_listed_newest_first_page_by_page_within_their_workspace(open_worker):
    worker = open_worker()
    kinds = ["replay", "export"] * 12 + ["replay"]
    made = [worker.book.add(order(kind)).order.id for kind in kinds]
    worker.book.add(order(workspace="other"))

    page = worker.book.page("acme", JobFilters(), 10, None)
    found = list(page.jobs)
    while page.after is not None:
        page = worker.book.page("acme", JobFilters(), 10, page.after)
        found += page.jobs

    assert sorted(job.order.id for job in found) == sorted(made)

    times = [job.order.created_ms for job in found]
    assert times == sorted(times, reverse=True)

    exports = worker.book.page("acme", JobFilters(kind="export", state="queued"), 100)
    assert [job.order.kind for job in exports.jobs] == ["export"] * 12
    assert worker.book.page("acme", JobFilters(state="failed"), 100).jobs == []
    assert worker.book.one("other", made[0]) is None


def test_a_finished_job_is_forgotten_after_its_time(open_worker, wait_until):
    worker = open_worker(job_window=1)
    job = worker.run(order())
    assert job.state == "done"
    wait_until(lambda: worker.look(job) is None)
    assert worker.book.page("acme", JobFilters(), 10).jobs == []
