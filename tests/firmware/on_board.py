"""Runs the test functions of one file on this VM: `on_board.py SHIMS FIRMWARE FILE`.

The last line of output is JSON: for each function "" or the traceback of its failure.
"""

import sys

shims, firmware, path = sys.argv[1:4]
real_stdout = sys.stdout
print_exception = getattr(sys, "print_exception", None)

sys.path.insert(0, shims)
import simimports  # noqa: E402

simimports.install(shims, firmware)
tests = path.rpartition("/firmware/")[0]
sys.path.extend(tests + folder for folder in ("/firmware", "/fakes/board", "/fakes/frames"))

import io  # noqa: E402
import json  # noqa: E402


def trace(error):
    text = io.StringIO()
    if print_exception is not None:
        print_exception(error, text)
    else:
        import traceback

        traceback.print_exception(error, file=text)
    return text.getvalue()


results = {}
module = __import__(path.rpartition("/")[2][:-3])
for name in sorted(dir(module)):
    if name.startswith("test_"):
        try:
            getattr(module, name)()
            results[name] = ""
        except BaseException as error:  # noqa: BLE001 - a power cut is no Exception
            results[name] = trace(error)
real_stdout.write(json.dumps(results) + "\n")
