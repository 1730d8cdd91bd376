"""The Celery app, its tasks, and background jobs."""
