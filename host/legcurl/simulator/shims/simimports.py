"""Decides which modules the firmware imports: a board's, as the shims play them.

On MicroPython most shims shadow what is built in, because their folder comes first on sys.path;
the built-in one stays reachable as `utime`, `uselect`, `uos`. `sys` cannot be shadowed so: its
stand-in goes into sys.modules, where an import looks first.

On CPython the standard library needs its own `time`, `select`, `os`, `gc` and `sys`. So only
imports made by the firmware's files get the shims' modules; the shims themselves ask for `utime`,
`uselect`, `uos` and `usys`, as on MicroPython.
"""

import sys

_DIFFERENT = ("time", "select", "os", "gc")


def install(shims, firmware):
    """Arrange the imports of everything in `firmware`."""
    if sys.implementation.name == "micropython":
        sys.path[:] = [shims, firmware, ".frozen"]
        sys.modules["usys"] = sys
        import simport

        sys.modules["sys"] = _SimulatedSys(simport)
    else:
        _install_on_cpython(shims, firmware)


class _Implementation:
    """What the firmware runs on, as it sees it: the same on every VM."""

    name = "micropython"
    version = (1, 28, 0, "")


class _SimulatedSys:
    """The sys module, but for the port."""

    implementation = _Implementation()

    def __init__(self, simport):
        self.stdin = simport.stdin
        self.stdout = simport.stdout
        if sys.implementation.name != "micropython":
            self.print_exception = _print_exception

    def __getattr__(self, name):
        return getattr(sys, name)


def _print_exception(error, file):
    import traceback

    traceback.print_exception(error, file=file)


def _install_on_cpython(shims, firmware):
    sys.path[:] = [entry for entry in sys.path if entry not in (shims, firmware)]
    import builtins
    import os
    import select

    sys.modules["uos"] = os
    sys.modules["uselect"] = select
    sys.modules["usys"] = sys
    sys.path += [firmware, shims, shims + "/cpython"]
    import simport

    modules = {"sys": _SimulatedSys(simport)}
    original = builtins.__import__

    def import_(name, globals=None, locals=None, fromlist=(), level=0):
        if level == 0 and globals and (globals.get("__file__") or "").startswith(firmware + "/"):
            if name in _DIFFERENT and name not in modules:
                modules[name] = _load(name, shims)
            if name in modules:
                return modules[name]
        return original(name, globals, locals, fromlist, level)

    builtins.__import__ = import_


def _load(name, shims):
    """A shim whose name belongs to the standard library."""
    from importlib.util import module_from_spec, spec_from_file_location

    directory = shims + "/cpython/" if name == "gc" else shims + "/"
    spec = spec_from_file_location("simulated_" + name, directory + name + ".py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
