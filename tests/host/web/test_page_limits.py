"""What the page takes into its fields is what the store accepts, and its trace what is kept."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest
from legcurl.store import store, validation
from legcurl.web import live_trace

PAGE = files("legcurl.web").joinpath("page", "js")


@pytest.mark.parametrize(
    ("file", "limit", "ours"),
    [
        ("choosing.mjs", r"const MOST_KG = (\d+)", validation.LOAD_MAX_KG),
        ("choosing.mjs", r"maxlength: (\d+), id: \"client-name\"", store.NAME_MAX),
        ("after.mjs", r"const REPS_MAX = (\d+)", validation.COUNT_MAX),
        ("after.mjs", r"\"textarea\", \{ rows: 2, maxlength: (\d+)", store.NOTE_MAX),
        ("trace.mjs", r"const SPAN_S = (\d+)", live_trace.KEPT_S),
    ],
)
def test_a_limit_of_the_page_is_that_of_the_service(file: str, limit: str, ours: float) -> None:
    found = re.search(limit, PAGE.joinpath(file).read_text(encoding="utf-8"))
    assert found is not None
    assert float(found[1]) == ours
