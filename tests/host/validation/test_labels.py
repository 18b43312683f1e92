"""Label files: what they may say, and what is said of a bad one."""

import json

import pytest
from legcurl.errors import InputError
from legcurl.validation.labels import Labels, parse_csv, parse_json

MANY = "recording,moment,t_s,note\n"


def from_json(**fields: object) -> Labels:
    return parse_json(json.dumps(fields), "a.labels.json", many=False)[""]


def from_csv(*rows: str) -> Labels:
    return parse_csv("\n".join(["moment,t_s", *rows]), "a.labels.csv", many=False)[""]


def test_tops_alone_are_enough():
    assert from_json(tops_s=[1, 2.5]) == Labels(tops_s=(1.0, 2.5))
    assert from_csv("top,1", "top,2.5") == Labels(tops_s=(1.0, 2.5))


def test_both_forms_say_the_same():
    table = from_csv(
        *("hold_start,4", "top,4.5", "hold_end,6", "failure,20.25", "optional,1", "top,20"),
    )
    assert table == from_json(
        tops_s=[4.5, 20], holds_s=[[4, 6]], failures_s=[20.25], optional_s=[1]
    )


def test_holds_without_labels_are_not_scored():
    assert from_json(tops_s=[1]).holds_s is None
    assert from_json(tops_s=[1], holds_s=[]).holds_s == ()


def test_a_recording_has_no_failure_unless_that_is_unknown():
    assert from_json(tops_s=[1]).failures_s == ()
    assert from_json(tops_s=[1], failures_s=None).failures_s is None
    assert from_csv("top,1", "failure,unknown").failures_s is None


def test_an_offset_turns_film_time_into_sensor_time():
    labels = from_json(tops_s=[10], holds_s=[[9, 11]], optional_s=[1], offset_s=70.5)
    assert (labels.tops_s, labels.holds_s, labels.optional_s) == ((80.5,), ((79.5, 81.5),), (71.5,))
    assert from_csv("offset,70.5", "top,10").tops_s == (80.5,)
    assert from_csv("top,10", "offset,70.5").tops_s == (80.5,)


def test_one_file_labels_many_recordings():
    document = {"recordings": {"a.csv": {"tops_s": [1]}, "b.csv": {"tops_s": [], "source": "x"}}}
    found = parse_json(json.dumps(document), "labels.json", many=True)
    assert found == {"a.csv": Labels((1.0,)), "b.csv": Labels((), source="x")}
    table = parse_csv(f"{MANY}a.csv,top,1,\nb.csv,top,2,late\n", "labels.csv", many=True)
    assert table == {"a.csv": Labels((1.0,)), "b.csv": Labels((2.0,))}


def test_a_table_of_a_spreadsheet_may_begin_with_a_byte_order_mark():
    assert parse_csv(f"\ufeff{MANY}a,top,1,\n", "labels.csv", many=True)["a"].tops_s == (1.0,)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "tops_s is missing"),
        ({"tops_s": 3}, "list of seconds"),
        ({"tops_s": ["3"]}, "list of seconds"),
        ({"tops_s": [True]}, "list of seconds"),
        ({"tops_s": [3, 1]}, "goes back from 3 to 1 s"),
        ({"tops_s": [1], "tops": [1]}, "no field 'tops'"),
        ({"tops_s": [1], "holds_s": [[1, 2, 3]]}, "list of pairs"),
        ({"tops_s": [1], "holds_s": [[2, 1]]}, "ends before"),
        ({"tops_s": [1], "offset_s": "2"}, "offset_s has to be a number"),
        ({"tops_s": [1], "extended_deg": 2}, "give both"),
        ({"tops_s": [1], "source": 2}, "source has to be a text"),
    ],
)
def test_a_bad_json_file_is_told_with_its_field(fields, said):
    with pytest.raises(InputError, match=said) as caught:
        from_json(**fields)
    assert str(caught.value).startswith("a.labels.json: ")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (["peak,1"], "line 2: 'peak' is no moment"),
        (["top,1", "top,one"], "line 3: 'one' is no time"),
        (["hold_end,1"], "line 2: a hold_end without"),
        (["hold_start,1", "hold_start,2"], "line 3: a second hold_start"),
        (["top,1", "hold_start,1"], "has no hold_end"),
        (["top"], "line 2: '' is no time"),
        (["failure,3"], "tops_s is missing"),
    ],
)
def test_a_bad_table_is_told_with_its_line(rows, said):
    with pytest.raises(InputError, match=said):
        from_csv(*rows)


@pytest.mark.parametrize("text", ["[]", "{}", '{"recordings": []}', "{"])
def test_a_file_for_many_without_recordings_is_told(text):
    with pytest.raises(InputError, match=r"labels\.json"):
        parse_json(text, "labels.json", many=True)


def test_a_table_without_its_columns_is_told():
    with pytest.raises(InputError, match="no column recording"):
        parse_csv("moment,t_s\ntop,1\n", "labels.csv", many=True)
    with pytest.raises(InputError, match="no column moment"):
        parse_csv("", "labels.csv", many=False)
