"""Native sessions of the other servers of a cluster."""

from dataclasses import replace

from embedded.native import NativeSession
from embedded.packets import COMPLETE, Origin
from tests.cluster.engine_patches import MARK

# Settings of a sender that no session can be given.
_NOT_SETTABLE = {"run_query_in_background"}

# A sender turns these off for the early revision of the protocol that the built-in server speaks,
# and then no GROUP BY can spill to disk. Servers of a cluster have the same version.
_FOR_EARLY_REVISIONS = {"group_by_two_level_threshold", "group_by_two_level_threshold_bytes"}


class ClusterSession(NativeSession):
    """A session that gives other servers the intermediate results that they ask for."""

    def _running(self, session, query):
        """List a part of an INSERT under the id that `ddl.name` has given it."""
        running = super()._running(session, query)
        _, _, name = query.settings.get("log_comment", "").partition(";")
        if query.origin is not None and name:
            running.origin = Origin(query.origin.user, name)
        return running

    def prepare(self, query):
        """Mark a query with its stage, as the changed engine expects it."""
        settings = {k: v for k, v in query.settings.items() if k not in _NOT_SETTABLE}
        if query.stage == COMPLETE:
            return replace(query, settings=settings)
        for name in _FOR_EARLY_REVISIONS:
            settings.pop(name, None)
        # The sender has rewritten the query already, and expects its columns as they are.
        settings["optimize_functions_to_subcolumns"] = "0"
        text = MARK + b"%d*/ " % query.stage + query.text
        return replace(query, text=text, settings=settings)


def serve(server, connection, address):
    """Serve one connection until its end."""
    ClusterSession(server, connection, address).serve()
