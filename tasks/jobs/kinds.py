"""The function for each kind of job."""

from collections.abc import Mapping

from tasks.jobs import job
from tasks.jobs.backup import make_backup
from tasks.jobs.delete import delete
from tasks.jobs.export import write_export
from tasks.jobs.replay import replay
from tasks.jobs.retention import expire
from tasks.jobs.run import RunJob
from tasks.jobs.sample import load_sample

KINDS: Mapping[job.KindName, RunJob] = {
    "backup": make_backup,
    "delete": delete,
    "export": write_export,
    "replay": replay,
    "retention": expire,
    "sample": load_sample,
}
