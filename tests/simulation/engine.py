"""Discrete events: a clock, nodes that are killed and freeze, and steps that run on them.

What runs on a node is a generator. It yields seconds to sleep, or something to wait for; between
two yields nothing else happens. A node that is killed drops its generators wherever they wait, and
one that is frozen resumes them, in order, when it wakes.
"""

import heapq
import random


class FaultError(Exception):
    """A call failed."""


class UnreachableError(FaultError):
    """Nothing was sent."""


class UnknownError(FaultError):
    """Sent, but not answered."""


class RefusedError(FaultError):
    """Answered with an error."""


class Simulation:
    """The clock, the events to come, and the seeded source of chance."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.now = 0.0
        self._events = []
        self._number = 0

    def after(self, seconds, call, *args):
        """Call after some time; calls of the same time run in the order in which they were made."""
        self._number += 1
        heapq.heappush(self._events, (self.now + seconds, self._number, call, args))

    def run(self, until, enough=lambda: False):
        """Run events until a time, or until `enough`, which is asked once a second."""
        asked = self.now
        while self._events and self._events[0][0] <= until:
            self.now, _, call, args = heapq.heappop(self._events)
            call(*args)
            if self.now - asked >= 1:
                asked = self.now
                if enough():
                    return
        self.now = max(self.now, until)

    def chance(self, probability):
        return self.random.random() < probability


class Node:
    """A process on a host of its own. Its memory is the generators that run on it."""

    def __init__(self, simulation, name):
        self.simulation = simulation
        self.name = name
        self.alive = True
        self.life = 0
        self.frozen_until = 0.0
        self._asleep = []
        self.calls = {}
        self.start()

    def __repr__(self):
        return self.name

    def start(self):
        """Begin what the process does by itself; called again after each restart."""

    def run(self, steps, done=None):
        _Steps(self, steps, done).resume(None)

    def kill(self):
        self.alive, self.frozen_until, self._asleep = False, 0.0, []
        self.life += 1
        calls, self.calls = self.calls, {}
        for call in calls:
            call.reset()

    def restart(self):
        if not self.alive:
            self.alive = True
            self.start()

    def freeze(self, seconds):
        self.frozen_until = max(self.frozen_until, self.simulation.now + seconds)
        left = self.frozen_until - self.simulation.now
        self.simulation.after(left, self._wake_if_due, self.frozen_until)

    def hold(self, resume, outcome):
        """Resume when the node wakes, in this order."""
        self._asleep.append((resume, outcome))

    def wake(self):
        self.frozen_until = 0.0
        asleep, self._asleep = self._asleep, []
        for resume, outcome in asleep:
            resume(outcome)

    def _wake_if_due(self, until):
        if self.frozen_until == until:
            self.wake()


class _Steps:
    """A generator that runs on a node, until the node is killed."""

    __slots__ = ("done", "generator", "life", "node")

    def __init__(self, node, generator, done):
        self.node, self.generator, self.done, self.life = node, generator, done, node.life

    def resume(self, outcome):
        node, simulation = self.node, self.node.simulation
        if node.life != self.life:
            self.generator.close()
            return
        if node.frozen_until:
            node.hold(self.resume, outcome)
            return
        try:
            if isinstance(outcome, FaultError):
                wanted = self.generator.throw(outcome)
            else:
                wanted = self.generator.send(outcome)
        except StopIteration as end:
            self._end(end.value)
        except FaultError as fault:
            self._end(fault)
        else:
            if isinstance(wanted, float):
                simulation.after(wanted, self.resume, None)
            else:
                wanted(_Once(self.resume))

    def _end(self, outcome):
        if self.done:
            self.done(outcome)


class _Once:
    """Passes on the first outcome only: an answer, or that none came in time."""

    __slots__ = ("_resume",)

    def __init__(self, resume):
        self._resume = resume

    def __call__(self, outcome):
        resume, self._resume = self._resume, None
        if resume:
            resume(outcome)

    @property
    def waits(self):
        return self._resume is not None


class Bell:
    """Wakes whoever waits for it."""

    def __init__(self, simulation):
        self._simulation = simulation
        self._waiting = []

    def ring(self):
        waiting, self._waiting = self._waiting, []
        for resume in waiting:
            resume(None)

    def wait(self, seconds):
        """To yield: wait for the bell, or for so long."""

        def start(resume):
            self._waiting.append(resume)
            self._simulation.after(seconds, resume, None)

        return start


def all_of(node, generators):
    """To yield: run generators at once on a node, and wait for the outcome of each."""

    def start(resume):
        outcomes = [None] * len(generators)
        missing = len(generators)

        def done(number, outcome):
            nonlocal missing
            outcomes[number] = outcome
            missing -= 1
            if not missing:
                resume(outcomes)

        if not generators:
            resume(outcomes)
        for number, generator in enumerate(generators):
            node.run(generator, lambda outcome, number=number: done(number, outcome))

    return start
