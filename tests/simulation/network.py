"""Calls from node to node, over links that are slow, cut, and lose answers."""

from tests.simulation.engine import UnknownError, UnreachableError

CONNECT_SECONDS = 5.0
TCP_RETRIES_SECONDS = 900.0
"""How long a kernel sends again what is not acknowledged."""


class Network:
    """All links."""

    def __init__(self, simulation, answers_lost=0.002):
        self.simulation = simulation
        self.answers_lost = answers_lost
        self._cut_until = {}

    def cut(self, one, other, seconds):
        self._cut_until[_link(one, other)] = self.simulation.now + seconds

    def heal(self):
        self._cut_until.clear()
        self.answers_lost = 0

    def cut_for(self, one, other):
        """Seconds until the link works; 0 if it does."""
        return max(0.0, self._cut_until.get(_link(one, other), 0.0) - self.simulation.now)

    def delay(self):
        return self.simulation.random.uniform(0.0005, 0.02)

    def call(self, source, target, steps, seconds, kept_for=TCP_RETRIES_SECONDS, *, greets=False):
        """To yield: run steps on the target, and wait for their outcome.

        While the link is cut, a new connection is not made. Over one that is open, the request
        waits in the source's kernel, even if the source no longer does, at most `kept_for` seconds.
        One that arrives at a frozen node waits there, unless the protocol `greets`: then it is only
        sent after the target has answered, as in ClickHouse's native protocol.

        Raises:
            UnreachableError: nothing was sent.
            UnknownError: no answer within `seconds`.
            FaultError: what the steps raised.
        """
        call = _Call(self, source, target, steps, greets)
        return lambda resume: call.send(resume, seconds, kept_for)


class _Call:
    __slots__ = ("greets", "network", "resume", "source", "steps", "target")

    def __init__(self, network, source, target, steps, greets):
        self.network, self.source, self.target = network, source, target
        self.steps, self.greets = steps, greets

    def send(self, resume, seconds, kept_for):
        self.resume = resume
        network, after = self.network, self.network.simulation.after
        cut = network.cut_for(self.source, self.target)
        if cut and network.simulation.chance(0.5):
            after(min(CONNECT_SECONDS, seconds), self.resume, UnreachableError(str(self.target)))
        elif not cut and not self.target.alive:
            after(network.delay(), self.resume, UnreachableError(str(self.target)))
        else:
            if cut <= kept_for:
                after(cut + network.delay(), self.arrive)
            after(seconds, self.resume, UnknownError(str(self.target)))

    def arrive(self):
        if self.greets and self.target.frozen_until:
            return
        if self.target.alive:
            self.target.calls[self] = True
            self.target.run(self.steps, self.answer)
        else:
            self.reset()

    def answer(self, outcome):
        self.target.calls.pop(self, None)
        network = self.network
        if not network.simulation.chance(network.answers_lost):
            wait = network.cut_for(self.source, self.target)
            network.simulation.after(wait + network.delay(), self.resume, outcome)

    def reset(self):
        """The target ended meanwhile."""
        wait = self.network.cut_for(self.source, self.target)
        error = UnknownError(f"{self.target} ended")
        self.network.simulation.after(wait + self.network.delay(), self.resume, error)


def _link(one, other):
    return (one.name, other.name) if one.name < other.name else (other.name, one.name)
