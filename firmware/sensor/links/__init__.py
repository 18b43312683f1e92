"""Links: ways for bytes to and from a host. They know nothing of frames.

A link has

    read_byte()        the next byte, or -1
    write(view)        sends the beginning of `view`; returns how many bytes went, or STALLED where
                       nobody can know, so that the frame has to be sent again
    want_output(bool)  whether being writable ends the main loop's sleep
    hung_up            true while no host can be there

and none of these blocks for long.
"""

from micropython import const

STALLED = const(-1)
