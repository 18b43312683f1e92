"""Links: ways for bytes to and from a host. They know nothing of what is in a frame.

A link has

    kind               its name in the statistics and in a board file's `links`
    wired              true where whoever is at the other end holds the cable, and may change all
    connection         a number that is another one for every host that came: what was half said
                       to the one before is forgotten
    hung_up            true while no host can be there

    tend()             called in every turn of the main loop, and once before sampling begins: what
                       is due besides bytes
    read_byte()        the next byte, or -1
    hear()             what was read has become a whole request: somebody is there
    begin(frame_type)  the bytes that are written from here on are those of a frame of this type
    write(view)        sends the beginning of `view`; returns how many bytes went, or STALLED where
                       nobody can know, so that the frame has to be sent again
    want_output(bool)  whether being writable ends the main loop's sleep
    describe(name, key_id)  what the sensor is called, and the id of its key or None, for a link
                       that tells so without being asked
    close()            the board is about to restart
    figures()          an OrderedDict of its own counters for the statistics request, or None

and none of these blocks for long. One link is the console: the main loop sleeps in its

    wait(timeout_ms)   returns when a byte came, when output is wanted and possible, or in time
"""

from micropython import const

STALLED = const(-1)
