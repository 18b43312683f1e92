"""Test names say the rule, short enough to be read in a report."""

import re

from pictures import ROOT

MAX_LENGTH = 70
NAME = re.compile(r"^\s*(?:async )?def (test_\w+)", re.MULTILINE)


def test_no_test_name_is_longer_than_70_characters():
    files = sorted((ROOT / "tests").rglob("*.py"))
    names = [name for file in files for name in NAME.findall(file.read_text())]
    assert len(names) > 1000
    assert [name for name in names if len(name) > MAX_LENGTH] == []
