"""The API's tests that fail on a cluster, and why; one that passes must be taken out."""

CANNOT = {
    "*/test_many_traces.py::test_a_service_map_that_outgrows_the_memory_is_drawn_from_disk": (
        "chDB does not say to which bucket of groups a block belongs, so the contact node merges "
        "all groups of a query at once; servers merge one bucket in 256 at a time"
    ),
}
"""Reasons by patterns of test ids, as of fnmatch."""
