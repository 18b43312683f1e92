"""The one place that holds the host's version."""

__version__ = "0.1.0"
