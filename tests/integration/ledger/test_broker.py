import threading

import pytest

from ledger.broker import (
    Broker,
    BrokerAwayError,
    BrokerDoubtError,
    BrokerFullError,
    BrokerReturnedError,
    Script,
)
from ledger.ledger import Ledger, RepeatedRequestsError
from tests.integration.made_logs import entry

pytestmark = pytest.mark.integration


@pytest.fixture
def ping():
    """Run a script that may change something and answers."""
    script = Script("drop")
    return lambda broker: broker.run(script, "0" * 32)


@pytest.fixture
def through(valkey, proxy, make_settings):
    """A proxy in front of the broker, and settings that use it."""
    gate = proxy(valkey.port)
    return gate, make_settings(redis_url=f"redis://127.0.0.1:{gate.port}/0", broker_timeout=1.0)


def test_a_refused_connection_means_that_the_command_has_not_run(free_port, make_settings, ping):
    broker = Broker(make_settings(redis_url=f"redis://127.0.0.1:{free_port()}/0"))
    with pytest.raises(BrokerAwayError, match="cannot be reached"):
        ping(broker)
    with pytest.raises(BrokerAwayError), broker.reading() as client:
        client.ping()


@pytest.mark.parametrize("fault", ["swallow", "cut"])
def test_an_answer_that_does_not_arrive_leaves_it_in_doubt_and_the_next_command_works(
    through, fault, valkey
):
    gate, settings = through
    ledger = Ledger(settings)
    ledger.accept([entry(["warm"], requests=["warm"])])
    gate.break_next(fault, 1)
    asked = entry(["a"], requests=["r"])

    with pytest.raises(BrokerDoubtError, match="answer did not arrive"):
        ledger.accept([asked])
    with pytest.raises(RepeatedRequestsError) as repeated:
        ledger.accept([asked])
    assert repeated.value.known == {"r": asked.chunk.header.id}
    assert valkey.client.zcard("sheaf:ledger") == 2

    ledger.close()


def test_a_connection_that_broke_while_idle_is_replaced_without_doubt(through, ping, wait_until):
    gate, settings = through
    broker = Broker(settings)
    assert ping(broker) == 0

    gate.disconnect()
    wait_until(lambda: not gate._writers)
    assert ping(broker) == 0

    broker.close()


def test_a_script_that_the_broker_forgot_is_sent_again(valkey, settings, ping):
    broker = Broker(settings)
    assert ping(broker) == 0
    valkey.client.script_flush()
    assert ping(broker) == 0
    broker.close()


def test_a_full_broker_refuses_only_what_would_grow_it(valkey, settings):
    ledger = Ledger(settings)
    valkey.client.config_set("maxmemory", 1)
    with pytest.raises(BrokerFullError):
        ledger.accept([entry(["a"])])
    assert ledger.seal() is None
    ledger.close()


def test_any_number_of_threads_share_it(settings):
    ledger = Ledger(settings)
    failed = []

    def work(number):
        try:
            for turn in range(20):
                ledger.accept([entry(["a"], requests=[f"{number}-{turn}"])])
        except Exception as error:  # noqa: BLE001 - told below
            failed.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failed == []
    assert ledger.waiting.stats().waiting_chunks == 160

    ledger.close()


def test_a_broker_that_may_have_been_away_is_noticed_before_a_command_runs(through, ping):
    gate, settings = through
    broker = Broker(settings)
    seen = broker.connects()
    assert broker.connects() == seen == 1
    assert broker.run(Script("drop"), "0" * 32, connects=seen) == 0

    gate.disconnect()
    while gate._writers:
        pass
    with pytest.raises(BrokerReturnedError):
        broker.run(Script("drop"), "0" * 32, connects=seen)
    assert broker.connects() == 2
    assert ping(broker) == broker.run(Script("drop"), "0" * 32, connects=2) == 0

    broker.close()
