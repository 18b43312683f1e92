"""Links carry bytes to and from a host. They know nothing of the content of frames.

A link has

    kind               its name in the statistics and in a board file's `links`
    wired              true if the host is on a cable, and so may change everything
    connection         a number that changes with each host: the unfinished frame of the one before
                       is forgotten
    hung_up            true while no host can be there

    tend()             called in every turn of the main loop, and once before sampling begins; does
                       what is due besides bytes
    read_byte()        the next byte, or -1
    hear()             called when the bytes have become a whole request: a host is there
    begin(frame_type)  the bytes written from here on belong to a frame of this type
    write(view)        sends the beginning of `view`; returns how many bytes were sent, or STALLED
                       if that is unknown, so that the frame has to be sent again
    want_output(bool)  whether the main loop's sleep ends when the link becomes writable
    describe(name, key_id)  takes the sensor's name and the id of its key or None, for a link that
                       advertises them
    close()            called before the board restarts
    figures()          an OrderedDict of its own counters for the statistics request, or None

None of these blocks for long. One link is the console: the main loop sleeps in its

    wait(timeout_ms)   returns when a byte comes, when output is wanted and possible, or in time
"""

from micropython import const

STALLED = const(-1)
