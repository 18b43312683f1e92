"""Sets that judge detection are not looked at while it is worked on."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import seeds

ROOT = Path(__file__).parents[3]
JUDGE = ROOT / "tests" / "bench" / "bench_accuracy.py"
SEEDS = ROOT / "tests" / "bench" / "seeds.py"


def python_files() -> list[Path]:
    return [
        path
        for folder in ("host", "tests")
        for path in (ROOT / folder).rglob("*.py")
        if path not in (JUDGE, SEEDS)
    ]


def test_tuning_and_judging_seeds_never_meet():
    assert set(seeds.TUNING).isdisjoint(seeds.JUDGING)


def test_nothing_but_the_accuracy_bench_asks_for_the_judging_seeds():
    asking = [p for p in python_files() if re.search(r"seeds\.JUDGING", p.read_text("utf-8"))]
    assert asking == [Path(__file__)]


def test_no_seed_written_anywhere_is_a_judging_one():
    for path in python_files():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "seed":
                value = node.value
                assert not (isinstance(value, ast.Constant) and value.value in seeds.JUDGING), path
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                for number in re.findall(r"seed=(\d+)", node.value):
                    assert int(number) not in seeds.JUDGING, path
