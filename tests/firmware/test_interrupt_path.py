"""No function that the sampling interrupt runs makes an integer of 2^30 or more, or allocates."""

from __future__ import annotations

import ast

import pytest
from interrupt_path import Analysis, Finding, Outside, Source, Thing
from intervals import SMALL, Interval
from legcurl.firmware_files import firmware_directory

SENSOR = firmware_directory() / "sensor"
MODULES = (
    "encoders/__init__.py",
    "encoders/magnetic.py",
    "encoders/as5600.py",
    "encoders/as5048a.py",
    "encoders/quadrature.py",
    "encoders/quadrature_pio.py",
    "encoders/quadrature_pcnt.py",
    "sampler.py",
)
NOT_IN_AN_INTERRUPT = {"encoders/wiring.py"}  # checks the board file, once
PIO = {"_counter": "PioCounter"}
PCNT = {"_counter": "PulseCounter"}

# Every function that an interrupt calls, and what stands in the fields that differ.
ROOTS = (
    ("Sampler", "tick", {}),
    ("AS5600", "read", {}),
    ("AS5048A", "read", {}),
    ("QuadraturePio", "read", PIO),
    ("QuadraturePio", "_index_seen", PIO),
    ("QuadraturePcnt", "read", PCNT),
    ("QuadraturePcnt", "_index_seen", PCNT),
)

BYTE = Interval(0, 255)
HALF_WORD = Interval(0, 65_535)
TICKS = Interval(0, SMALL - 1)  # ticks_us() on the boards
YEARS = Interval(0, SMALL // 2)  # a counter at 400 Hz: 15 days without an event that resets it

OUTSIDE = Outside(
    fields={
        "angle": HALF_WORD,
        "status": Interval(0, 31),
        "agc": BYTE,
        "magnitude": Interval(0, 16_383),
        "counts": Interval(64, 16_384),  # checked when the board file is read
        "slips": YEARS,
        # magnetic.py
        "_looking": Interval(0, 1),
        "_asked": Interval(0, 1),
        "_failures": Interval(0, 3),
        "_rest": Interval(0, 16),
        # quadrature.py
        "_half": Interval(16_000, 32_768),  # half of the two counters' moduli
        "_zero": HALF_WORD,
        "_position": Interval(0, 16_383),
        "_count": HALF_WORD,
        "_moved": Interval(-32_768, 65_535),
        "_rising": Interval(0, 1),
        "_referenced": Interval(0, 1),
        "_slipped": Interval(0, 1),
        "_strayed": Interval(-2, 2),
        "_rest_since": TICKS,
        "_index_slack": Interval(4, 36),
        "_hard_index": Interval(0, 1),
        # sampler.py
        "_due": TICKS,
        "_base": TICKS,
        "_period": Interval(2_500, 50_000),  # 20 to 400 Hz
        "_running": Interval(0, 1),
        "_fresh": Interval(0, 1),
        "_head": Interval(0, 511),
        "_tail": Interval(0, 511),
        "_missed_now": YEARS,
        "_overrun_now": YEARS,
    },
    counters=frozenset({"slips", "_missed_now", "_overrun_now"}),
    elements={
        "_registers": BYTE,
        "_figures": BYTE,
        "_answer": BYTE,
        "_word": HALF_WORD,
        "_angles": HALF_WORD,
        "_status": BYTE,
        "_late": Interval(-SMALL, SMALL - 1),
        "_missed": Interval(-SMALL, SMALL - 1),
        "_overrun": Interval(-SMALL, SMALL - 1),
    },
    things={
        "_bus": "bus",
        "_cs": "pin",
        "_index": "pin",
        "_encoder": "encoder",
        "_machine": "state machine",
        "_unit": "unit",
        "_old_words": "words",
    },
    functions={
        "ticks_us": TICKS,
        "ticks_add": TICKS,
        "ticks_diff": Interval(-SMALL // 2, SMALL // 2 - 1),
        "pin": Thing("None"),
        "readfrom_mem_into": Thing("None"),
        "write_readinto": Thing("None"),
        "rx_fifo": Interval(0, 8),
        "get": Thing("words"),
        "value": Interval(-32_768, 32_767),  # of PCNT: 16 bits
        "read": Thing("None"),  # of an encoder: each is a root of its own
    },
)


def drivers(text: str) -> set[str]:
    """The driver classes that `open_encoder` may give, as they stand in its source."""
    return {
        node.value.func.id
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Return)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Name)
        and node.value.func.id[0].isupper()
    }


def test_every_driver_and_every_module_beside_it_is_proved() -> None:
    """A new driver is listed in MODULES and ROOTS above: see docs/firmware.md."""
    modules = {f"encoders/{path.name}" for path in (SENSOR / "encoders").glob("*.py")}
    assert modules - NOT_IN_AN_INTERRUPT <= set(MODULES)
    found = drivers((SENSOR / "encoders" / "__init__.py").read_text())
    assert {"AS5600", "QuadraturePcnt"} <= found
    assert found == {name for name, method, _ in ROOTS if method == "read"}


def findings(source: Source, class_name: str, method: str, things=None) -> set[Finding]:
    analysis = Analysis(source, OUTSIDE)
    analysis.run(class_name, method, things)
    return analysis.findings


@pytest.mark.parametrize(("class_name", "method", "things"), ROOTS)
def test_an_interrupt_makes_no_large_integer_and_allocates_nothing(
    class_name: str, method: str, things: dict[str, str]
) -> None:
    found = findings(Source.of(SENSOR / name for name in MODULES), class_name, method, things)
    assert not found, "\n".join(f"line {finding.line}: {finding.what}" for finding in found)


WRONG = (
    # Integers
    ("x = self._word[0] << 16", "can be Interval(low=0, high=4294901760)"),
    ("x = ticks_us() * 2", "can be"),
    ("x = ticks_us() + 1", "can be"),
    ("x = 1 << 30", "can be"),
    ("x = 0x40000000", "can be"),
    ("x = -0x40000001", "can be"),
    ("x = self._position * 65536 * 2", "can be"),
    ("x = ticks_diff(ticks_us(), self._due) * 3", "can be"),
    ("x = self._angles[0]\nx <<= 15", "can be"),
    ("self._position = self._position + 1", "_position becomes"),
    ("self._due = ticks_diff(ticks_us(), self._due)", "_due becomes"),
    ("self.unheard_of = 1", "no declared interval"),
    ("x = self._word[0] // self._strayed", "FloorDiv may allocate, or fail"),
    ("x = self._word[0] << self._strayed", "LShift may allocate, or fail"),
    ("x = 2 ** self._rest", "Pow may allocate"),
    ("for i in range(9):\n    self.angle = self.large(self.angle)", "can be"),
    ("x = 1\nfor i in range(9):\n    x = x * 2", "grows with every turn"),
    ("x = self._word[0]\nif not self._looking:\n    x = 0\nx = x << 16", "can be"),
    ("x = 0\nif self._looking:\n    x = self._word[0]\nx = x << 16", "can be"),
    ("x = self._word[0]\nif x > 9:\n    x = x << 16", "can be"),
    ("try:\n    x = 70000\nexcept OSError:\n    x = 1\nx = x << 14", "can be"),
    # Allocation
    ("x = self.angle / 2", "Div may allocate"),
    ("x = 0.5", "0.5"),
    ("x = self._registers[0:2]", "_registers[0:2]"),
    ("x = [self.angle]", "List may allocate"),
    ("x = self.angle, self.status", "Tuple may allocate"),
    ("x = {}", "Dict may allocate"),
    ("x = [i for i in range(3)]", "ListComp may allocate"),
    ("x = lambda: 1", "Lambda may allocate"),
    ("def inner():\n    pass", "FunctionDef is not known to be harmless"),
    ("x = f'{self.angle}'", "JoinedStr may allocate"),
    ("x = '%d' % self.angle", "may allocate"),
    ("x = self.large", "a bound method is allocated"),
    ("self.large(*self._registers)", "Starred may allocate"),
    ("self.large(number=1)", "Call may allocate"),
    ("x = bytearray(3)", "bytearray() is not known"),
    ("x = self._bus.readfrom_mem(0x36, 0x0B, 3)", "readfrom_mem() is not known"),
    ("raise OSError(5)", "Raise is not known"),
    ("while self._rest:\n    pass", "While is not known"),
    ("for i in self._registers:\n    pass", "For is not known"),
    ("import time", "Import is not known"),
    ("global x", "Global is not known"),
    ("x, y = 1, 2", "Tuple may allocate"),
    ("yield 1", "Yield may allocate"),
    ("super().read()", "super() is not known"),
    ("print(self.angle)", "print() is not known"),
)
RIGHT = (
    "x = self._registers[0] << 8 | self._registers[1]",
    "x = self._word[0] << 14",
    "self._position = (self._position + 1) % self.counts",
    "x = self._position * 65536 // self.counts",
    "if self._rest:\n    self._rest -= 1",
    "x = self._word[0] - 32768\nif -2 <= x <= 2:\n    self._strayed = x",
    "x = ticks_diff(ticks_us(), self._due)\nif 0 <= x < 512:\n    self._head = x",
    "x = 1\nfor i in range(9):\n    x = (x * 2) % 512\nself._head = x",
    "try:\n    self._bus.readfrom_mem_into(1, 2, self._registers)\nexcept OSError:\n    return",
)


def driver(body: str) -> Source:
    lines = "".join(f"        {line}\n" for line in body.splitlines())
    return Source.of(
        [
            "class Driver:\n"
            "    def read(self):\n" + lines + "    def large(self, number):\n"
            "        return number << 15\n"
        ]
    )


@pytest.mark.parametrize(("body", "words"), WRONG)
def test_the_prover_finds_each_planted_error(body: str, words: str) -> None:
    said = [finding.what for finding in findings(driver(body), "Driver", "read")]
    assert any(words in what for what in said), said


@pytest.mark.parametrize("body", RIGHT)
def test_the_prover_accepts_correct_code(body: str) -> None:
    assert not findings(driver(body), "Driver", "read")


@pytest.mark.parametrize(
    ("module", "right", "wrong"),
    [
        ("encoders/quadrature.py", "_MOST_COUNTS = const(16384)", "_MOST_COUNTS = const(16385)"),
        ("encoders/as5048a.py", "angle << 2", "angle << 17"),
        ("encoders/as5600.py", "registers[1] & 0x0F) << 12", "registers[1]) << 24"),
        ("encoders/quadrature_pio.py", "self._word[0]", "self._word[0] << 16"),
        ("sampler.py", "behind = late - late % period", "behind = late // period * period"),
        ("sampler.py", "head = self._head", "head = self._head + now"),
    ],
)
def test_one_wrong_word_in_the_real_source_would_be_found(
    module: str, right: str, wrong: str
) -> None:
    texts = {name: (SENSOR / name).read_text() for name in MODULES}
    assert right in texts[module]
    texts[module] = texts[module].replace(right, wrong)
    source = Source.of(texts.values())
    found = [
        finding
        for class_name, method, things in ROOTS
        for finding in findings(source, class_name, method, things)
    ]
    declared = OUTSIDE.fields["counts"].high
    [most] = [source.constants["_MOST_COUNTS"]]
    assert found or most != Interval(declared, declared)


def test_declared_count_limits_are_those_the_driver_checks() -> None:
    constants = Source.of(SENSOR / name for name in MODULES).constants
    fewest, most = constants["_FEWEST_COUNTS"], constants["_MOST_COUNTS"]
    assert isinstance(fewest, Interval)
    assert isinstance(most, Interval)
    assert fewest | most == OUTSIDE.fields["counts"]
