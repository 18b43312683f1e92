"""Lets the firmware import MicroPython's modules on CPython.

`time`, `select`, `os`, `gc` and `sys` exist on both and differ. The firmware's own imports of
these get the simulated board's; everybody else's imports, the standard library's above all, get
CPython's. The shims reach the real ones as `utime`, `uselect`, `uos` and `usys`, as on MicroPython.
"""

import builtins
import importlib.util
import sys

_DIFFERENT = ("time", "select", "os", "gc")


def install(shims, firmware):
    """Arrange the imports; returns the real `os` and `gc`."""
    sys.path[:] = [entry for entry in sys.path if not entry.startswith(shims)]
    import gc
    import os
    import select

    sys.modules["uos"] = os
    sys.modules["uselect"] = select
    sys.modules["usys"] = sys
    sys.path += [firmware, shims, shims + "/cpython"]
    ours = {}
    original = builtins.__import__

    def import_(name, globals=None, locals=None, fromlist=(), level=0):
        if level == 0 and globals and (globals.get("__file__") or "").startswith(firmware):
            if name == "sys":
                return sys.modules.get("simulated sys", sys)
            if name in _DIFFERENT:
                if name not in ours:
                    ours[name] = _load(name, shims)
                return ours[name]
        return original(name, globals, locals, fromlist, level)

    builtins.__import__ = import_
    return os, gc


def _load(name, shims):
    directory = shims + "/cpython/" if name == "gc" else shims + "/"
    spec = importlib.util.spec_from_file_location("simulated_" + name, directory + name + ".py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
