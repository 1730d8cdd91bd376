"""What ZooKeeper knows of the replicas of one shard, and their sessions."""

from dataclasses import dataclass, field
from itertools import count

from tests.simulation.engine import Node

SESSION_SECONDS = 30.0


@dataclass(eq=False)
class Part:
    """A part: the rows of one block on one day, which appear all at once."""

    id: int
    block: tuple
    """Of a row of each chunk: the chunk, its day, which half."""
    copies: set = field(default_factory=set)
    """Replicas that said that they have it."""
    awaits_copies: bool = False
    """Whether its insert asked for a number of copies that it does not have yet."""


@dataclass(eq=False)
class Shard:
    """The log of a shard, which all of its replicas follow."""

    number: int
    replicas: list = field(default_factory=list)
    parts: dict = field(default_factory=dict)
    blocks: dict = field(default_factory=dict)
    failed: set = field(default_factory=set)
    """Parts that were given up before they had enough copies."""

    def forget(self, part):
        self.parts.pop(part.id, None)
        if self.blocks.get(part.block) == part.id:
            del self.blocks[part.block]


class ZooKeeper(Node):
    """One service; its ensemble is not taken apart."""

    def __init__(self, simulation, network):
        self.network = network
        self.sessions = {}
        self.part_ids = count()
        self._session_ids = count(1)
        super().__init__(simulation, "zookeeper")

    def start(self):
        # A new leader gives each session its full time.
        self.sessions = {
            replica: (session, self.simulation.now)
            for replica, (session, seen) in self.sessions.items()
        }

    def reaches(self, replica):
        return self.alive and replica.alive and not self.network.cut_for(self, replica)

    def heartbeat(self, replica):
        """Renew the session of a replica that can be reached; it gets a new one if it expired."""
        if self.reaches(replica):
            session = self.session(replica) or next(self._session_ids)
            self.sessions[replica] = (session, self.simulation.now)
            return session
        return 0

    def end_session(self, replica):
        """As a replica does that starts: its earlier session is gone."""
        self.sessions.pop(replica, None)

    def session(self, replica):
        """The session of a replica, 0 if it has none."""
        session, seen = self.sessions.get(replica, (0, 0.0))
        expired = self.alive and self.simulation.now - seen > SESSION_SECONDS
        return 0 if expired else session
