"""What each kind of job does; one more kind is one more file and one more line here."""

from collections.abc import Mapping

from tasks.jobs import job
from tasks.jobs.delete import delete
from tasks.jobs.export import write_export
from tasks.jobs.replay import replay
from tasks.jobs.retention import expire
from tasks.jobs.run import Kind

KINDS: Mapping[job.Kind, Kind] = {
    "delete": delete,
    "export": write_export,
    "replay": replay,
    "retention": expire,
}
