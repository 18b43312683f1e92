"""`os` of the simulated board: the real one, but with randomness from the seed."""

from hashlib import sha256

import simboard
from simclock import clock
from uos import *  # noqa: F403

_drawn = 0


def urandom(size):
    global _drawn
    _drawn += 1
    return sha256(b"urandom %d %d %d" % (simboard.seed, clock.boots, _drawn)).digest()[:size]


def uname():
    return (simboard.port,)


def sync():
    pass
