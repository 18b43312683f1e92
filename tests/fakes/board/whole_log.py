"""What an angle log holds, read as a session reads it."""

import wire_reference


def read_all(log, cursor):
    """All that a log has from the cursor on: see wire_reference.entries."""
    body = bytearray(1019)
    entries = []
    while True:
        frame_type, length = log.read(cursor, memoryview(body))
        if not length:
            return entries
        assert length <= 1019
        entries.extend(wire_reference.entries(frame_type, body[:length]))
