"""How much of the heap the firmware needs: `memory_probe.py REPORT SHIMS FIRMWARE`.

Runs on the MicroPython VM, in place of the simulator's boot.py, which it then becomes. What the
simulation itself takes is allocated and weighed first. From then on, every collection that the
firmware makes is followed by a look at what is left: that is what is in use, without garbage. The
figures go to REPORT as JSON, in bytes, with the names of the modules that were loaded.
"""

import gc
import json
import sys

import empty_room

report, shims, firmware = sys.argv[1:4]
real_collect = gc.collect


class Scales:
    """The gc module, with a look after each collection."""

    def __init__(self):
        real_collect()
        self.simulation = gc.mem_alloc()
        self.looks = []

    def collect(self):
        real_collect()
        self.looks.append(gc.mem_alloc() - self.simulation)

    def write(self):
        with open(report, "w") as file:
            modules = [name for name in sys.modules if name.split(".")[0] == "sensor"]
            json.dump({"looks": self.looks, "modules": modules}, file)

    def __getattr__(self, name):
        return getattr(gc, name)


sys.path.insert(0, shims)
import simimports  # noqa: E402

simimports.install(shims, firmware)
for name in ("machine", "neopixel", "select", "time", "os", "simworld"):
    __import__(name)
sys.modules["bluetooth"] = empty_room
boot = shims + "/boot.py"
with open(boot) as file:
    program = compile(file.read(), boot, "exec")
sys.argv[:] = [boot, firmware]
scales = Scales()
sys.modules["gc"] = scales
try:
    exec(program, {"__name__": "__main__", "__file__": boot})
finally:
    scales.write()
