"""docs/firmware.md: its example of a driver works, and its figures are those of the boards."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from legcurl.install.boards.board_file import all_boards
from legcurl.simulator.runner import find_engine
from pictures import ROOT
from timings import LIMIT_S

DOCUMENT = (ROOT / "docs" / "firmware.md").read_text()
CHECK = """
import micropython, sys

class ADC:
    def __init__(self, pin):
        self.value = 0

    def read_u16(self):
        self.value = (self.value + 12_345) & 0xFFFF
        return self.value

class Machine:
    ADC = ADC
    Pin = int

sys.modules["machine"] = Machine
from potentiometer import Potentiometer

encoder = Potentiometer({"adc": 26})
encoder.reference(16_384)

def read_many():
    for turn in range(100):
        encoder.look()
        encoder.read()

micropython.heap_lock()
read_many()
micropython.heap_unlock()
encoder.recover()
assert encoder.status == 0 and encoder.agc is None and encoder.slips == 0
assert encoder.angle == (100 * 12_345 & 0xFFF0)
assert encoder.angle % (1 << encoder.shift) == 0
print("fine")
"""


def test_the_example_of_a_driver_does_what_the_interface_asks(tmp_path: Path):
    example = re.search(r"^```micropython\n(.*?)^```$", DOCUMENT, re.DOTALL | re.MULTILINE)
    assert example
    (tmp_path / "potentiometer.py").write_text(example[1])
    (tmp_path / "check.py").write_text(CHECK)
    engine = find_engine()
    if engine.name == "cpython":  # no VM for this platform: at least it is Python
        compile(example[1], "potentiometer.py", "exec")
        return
    done = subprocess.run(
        [*engine.command, "check.py"], cwd=tmp_path, capture_output=True, text=True, timeout=LIMIT_S
    )
    assert done.stdout == "fine\n", done.stdout + done.stderr


def test_the_table_of_memory_has_each_boards_budget_and_log():
    rows = re.findall(r"^\| ([\w ,-]+) \| (\d+) \| (\d+) \| \d+ \|", DOCUMENT, re.MULTILINE)
    told = {
        name.strip(): (int(budget), int(log))
        for names, budget, log in rows
        for name in names.replace("-C6", "ESP32-C6").split(",")
    }
    for board in all_boards():
        name = board.title.removeprefix("Raspberry Pi ").partition("-DevKit")[0]
        assert told[name] == (board.heap_kb, board.log_bytes // 1024)
