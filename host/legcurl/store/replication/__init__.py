"""Sets between gyms: the outbox, the document of a set, the merge."""
