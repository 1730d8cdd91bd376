"""A door without a network: the receiver, and the outcomes for its clients."""

import queue
import time

import pytest
from celery import Celery

from ingest.commit.group import Receipt
from ingest.commit.receive import Receiver
from ingest.convert.otlp.request import cut
from ingest.convert.services import LOGS
from ingest.doors.http.app import create_app
from ingest.tenant import Sender, Tenant

ACME, BETA = Tenant("acme", "web"), Tenant("beta", "web")


class Door:
    """A receiver, and clients of it."""

    def __init__(self, settings):
        app = Celery("door", broker=settings.broker_url)
        app.conf.broker_transport_options = {"max_retries": 1, "interval_start": 0}
        self.receiver = Receiver(settings, app)
        self.receiver.start()

    def send(self, content, tenant=ACME):
        """Send a request; returns the queue that its outcome will be put into.

        Raises:
            RefusedError: the door takes no request of this size now.
        """
        self.receiver.admission.admit(len(content))
        outcome = queue.SimpleQueue()
        self.receiver.admission.admit(len(content))
        most = self.receiver.settings.max_request_records
        self.receiver.submit(cut(LOGS, content, Sender(tenant), most), outcome.put)
        return outcome

    def ask(self, content, tenant=ACME):
        """Send a request and wait for its outcome."""
        return self.send(content, tenant).get(timeout=20)


class Client:
    """A client of the JSON door."""

    def __init__(self, receiver):
        self._client = create_app(receiver.settings, receiver).test_client()

    def post(self, body, key="", path="/api/v1/ingest"):
        """Send a request, with an idempotency key if one is given; returns status and answer."""
        headers = {"Idempotency-Key": key} if key else {}
        answer = self._client.post(path, data=body, headers=headers)
        return answer.status_code, answer.json

    def receipt(self, receipt):
        """Ask about a receipt; returns status and answer."""
        answer = self._client.get(f"/api/v1/ingest/receipts/{receipt}")
        return answer.status_code, answer.json


def taken(door, content):
    """Repeat a request until it is taken, as clients do."""
    for _ in range(200):
        outcome = door.ask(content)
        if isinstance(outcome, Receipt):
            return outcome
        time.sleep(0.05)
    return pytest.fail(f"still refused: {outcome}")


def away(gate):
    gate.break_all("refuse")
    gate.disconnect()
    while gate._writers:
        time.sleep(0.01)
