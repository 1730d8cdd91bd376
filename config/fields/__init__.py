"""The fields of :class:`config.settings.Settings`, a module for each subject."""
