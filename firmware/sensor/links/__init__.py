"""Links: ways for bytes to and from a host. They know nothing of frames.

A link has `read_byte()`, `write(view)` and `want_output(bool)`, none of which ever blocks for
long; and `hung_up`, true while no host can be there.
"""
