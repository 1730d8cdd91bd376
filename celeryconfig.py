"""Celery's configuration, from Sheaf's settings."""

from celery.schedules import crontab

from config.settings import load

_settings = load()

broker_url = _settings.broker_url
broker_connection_retry_on_startup = True
# A broker that is away for hours must not end a worker.
broker_connection_max_retries = None
# Nor must one whose memory is full, which it answers as an error of the channel.
broker_channel_error_retry = True
broker_transport_options = {
    "socket_connect_timeout": 2,
    "socket_timeout": 10,
    "socket_keepalive": True,
    "health_check_interval": 10,
}

task_default_queue = "sheaf"
task_ignore_result = True
task_serializer = "json"
accept_content = ["json"]
timezone = "UTC"

# Hints are small and acknowledged at once: a limit would only stop the flush by rows.
worker_prefetch_multiplier = 0
# Long tasks are limited, and return at once beyond the limit: `worker_threads` store
# (worker/storing.py), one runs jobs (tasks/jobs/run.py), one computes rollups. So a thread is
# always free for short tasks: sweeps, retention's daily order, and those beyond the limit.
worker_concurrency = _settings.worker_threads + 3
worker_send_task_events = True
worker_hijack_root_logger = False
# It is about tasks that are acknowledged late, which none is; without it, each loss is a warning.
worker_cancel_long_running_tasks_on_connection_loss = True

beat_schedule = {
    "sweep": {
        "task": "sheaf.sweep",
        "schedule": _settings.sweep_interval,
        "options": {"expires": 10 * _settings.sweep_interval, "retry": False},
    },
    "rollups": {
        "task": "sheaf.rollups",
        "schedule": _settings.rollup_interval,
        "options": {"expires": 10 * _settings.rollup_interval, "retry": False},
    },
    "shared": {
        "task": "sheaf.shared",
        "schedule": 30.0,
        "options": {"expires": 300.0, "retry": False},
    },
    "space": {
        "task": "sheaf.space",
        "schedule": 5.0,
        "options": {"expires": 50.0, "retry": False},
    },
    "jobs": {
        "task": "sheaf.job",
        "schedule": _settings.sweep_interval,
        "options": {"expires": 10 * _settings.sweep_interval, "retry": False},
    },
    # Midnight in UTC has passed, and some minutes more for clocks that are slow.
    "retention": {
        "task": "sheaf.retention",
        "schedule": crontab(hour="0", minute="10"),
        "options": {"retry": False},
    },
}
if _settings.backup_every_hours:
    beat_schedule["backup"] = {
        "task": "sheaf.backup",
        "schedule": 60.0,
        "options": {"expires": 600.0, "retry": False},
    }
beat_schedule_filename = str(_settings.data_dir / "beat-schedule")
