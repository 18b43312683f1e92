"""Many machines at once, each with its station and its events."""
