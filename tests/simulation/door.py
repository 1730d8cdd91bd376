"""Doors and their clients: `ingest/commit/bind.py`, without the way around the broker."""

from tests.simulation.engine import Bell, FaultError, Node, RefusedError, UnknownError
from tests.simulation.ledger import RepeatsError
from tests.simulation.worker import BROKER_SECONDS

COMMIT_SECONDS = 0.02
HINTS_LOST = 0.1


class Door(Node):
    """Binds what arrives together, commits it, and answers."""

    def __init__(self, world, name):
        self.world = world
        super().__init__(world.simulation, name)

    def start(self):
        self._waiting = []
        self._arrived = Bell(self.simulation)
        self.run(self._bind())

    def export(self, request):
        """Answers when the request is in a ledger."""
        outcome = []
        answered = Bell(self.simulation)
        self._waiting.append((request, outcome, answered))
        self._arrived.ring()
        while not outcome:
            yield answered.wait(60.0)
        if isinstance(outcome[0], FaultError):
            raise outcome[0]

    def _bind(self):
        while True:
            yield self._arrived.wait(60.0)
            yield COMMIT_SECONDS
            taken, self._waiting = self._waiting, []
            by_ledger = {}
            for each in taken:
                ledger = self.world.ledger_of(each[0].tenant)
                by_ledger.setdefault(ledger, []).append(each)
            for ledger, group in by_ledger.items():
                self.run(self._commit(ledger, group))

    def _commit(self, ledger, group):
        waiting = {request.id: (request, outcome, bell) for request, outcome, bell in group}
        twins = [each for each in group if waiting[each[0].id] is not each]
        chunks, deadline = self._chunks(waiting), self.simulation.now + BROKER_SECONDS
        while waiting:
            try:
                yield self.world.network.call(self, ledger, ledger.accept(chunks), BROKER_SECONDS)
            except RepeatsError as repeats:
                for request_id in repeats.known:
                    _answer(waiting.pop(request_id), "known")
                chunks = self._chunks(waiting)
            except UnknownError as fault:
                if self.simulation.now > deadline:
                    self._fail(waiting, fault)
            except FaultError as fault:
                self._fail(waiting, fault)
            else:
                for each in waiting.values():
                    _answer(each, "accepted")
                waiting = {}
                self._hint()
        for each in twins:
            _answer(each, RefusedError("the same request is being stored right now"))

    def _chunks(self, waiting):
        """One for each tenant; what ClickHouse refuses is known by its request."""
        by_tenant = {}
        for request, _, _ in waiting.values():
            by_tenant.setdefault(request.tenant, []).append(request)
        return [self.world.new_chunk(tenant, each) for tenant, each in by_tenant.items()]

    def _fail(self, waiting, fault):
        for each in waiting.values():
            _answer(each, fault)
        waiting.clear()

    def _hint(self):
        if not self.simulation.chance(HINTS_LOST):
            self.simulation.random.choice(self.world.workers).hint.ring()


def _answer(waiting, outcome):
    _, outcomes, bell = waiting
    outcomes.append(outcome)
    bell.ring()


class Request:
    """What a client sends, and sends again until it is answered OK."""

    __slots__ = ("days", "id", "is_refused", "tenant")

    def __init__(self, id_, tenant, days, *, is_refused):
        self.id, self.tenant, self.days, self.is_refused = id_, tenant, days, is_refused


class Client(Node):
    """Sends requests of one tenant, one after the other, each to any door."""

    def __init__(self, world, name, tenant):
        self.world, self.tenant = world, tenant
        super().__init__(world.simulation, name)

    def start(self):
        self.run(self._send_all())

    def _send_all(self):
        world, random = self.world, self.simulation.random
        while self.simulation.now < world.quiet_from:
            yield random.expovariate(world.scale.requests_per_second)
            request = world.new_request(self.tenant)
            while request.id not in world.watch.acknowledged:
                door = random.choice(world.doors)
                try:
                    yield world.network.call(self, door, door.export(request), 15.0)
                except FaultError:
                    yield random.uniform(0.2, 2.0)
                else:
                    world.watch.acknowledged.add(request.id)
