"""A configuration means what it says, or every problem of it is named with its place and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from legcurl.config import Config, InvalidConfigError, Secret, read_config
from legcurl.config.model import shown, without_password
from legcurl.config.schema import SECRETS, SECTIONS
from legcurl.motion import Calibration

WHOLE = """
[gym]
id = "north"
name = "Gym North"

[[machine]]
id = "curl-1"
name = "Leg curl 1"
address = "serial:/dev/ttyACM0"
extended_deg = 229.5
flexed_deg = 134

[[machine]]
id = "curl-2"
address = "ble:Leg curl 2"

[store]
url = "sqlite:////srv/gym.db"
journal = "/srv/journal"
keep_traces_days = 365
keep_sets_days = 3650

[web]
host = "0.0.0.0"
port = 8081
allow_hosts = ["gym.example", "10.0.0.7"]
pin_file = "pin"

[mqtt]
host = "broker.example"
tls = true
ca_file = "ca.pem"
username = "north"
password_file = "mqtt"
home_assistant = true
traces = false

[log]
format = "json"
level = "info"
"""


def of_file(path: str) -> str:
    return {
        "pin": "2468\n",
        "wall": "1357",
        "mqtt": "s3cret word",
        "token": "0123456789abcdef",
        "short": "123",
    }[path]


def read(text: str, **variables: str) -> Config:
    return read_config(text, name="gym.toml", variables=variables, read_secret=of_file)


def problems(text: str, **variables: str) -> list[str]:
    with pytest.raises(InvalidConfigError) as caught:
        read(text, **variables)
    return [str(problem) for problem in caught.value.problems]


def test_all_that_can_be_said_is_understood():
    config = read(WHOLE)
    assert (config.gym.id, config.gym.name) == ("north", "Gym North")
    first, second = config.machines
    assert first.calibration == Calibration(229.5, 134.0)
    assert (second.id, second.name, second.calibration) == ("curl-2", "", None)
    assert config.store.url == "sqlite:////srv/gym.db"
    assert config.store.journal == Path("/srv/journal")
    assert (config.store.keep_traces_days, config.store.keep_sets_days) == (365, 3650)
    assert (config.web.host, config.web.port) == ("0.0.0.0", 8081)
    assert config.web.allow_hosts == ("gym.example", "10.0.0.7")
    assert config.web.pin == Secret("2468")
    assert config.mqtt is not None
    assert (config.mqtt.port, config.mqtt.tls) == (8883, True), "TLS has a port of its own"
    assert config.mqtt.password == Secret("s3cret word")
    assert (config.mqtt.home_assistant, config.mqtt.traces) == (True, False)
    assert (config.log.format, config.log.level) == ("json", "info")


def test_nothing_said_is_a_service_for_this_computer():
    config = read("")
    assert config == Config()
    assert (config.web.host, config.web.port, config.mqtt) == ("127.0.0.1", 8080, None)


def test_the_example_is_valid_and_shows_the_defaults():
    example = (Path(read_config.__code__.co_filename).parent / "example.toml").read_text()
    config = read(example)
    assert [machine.id for machine in config.machines] == ["curl-1"]
    defaults = Config()
    assert (config.web, config.store, config.log) == (defaults.web, defaults.store, defaults.log)


def test_omitted_keys_of_the_example_are_valid():
    """Every line of it that is only commented out, but for what stands behind a value."""
    text = (Path(read_config.__code__.co_filename).parent / "example.toml").read_text()
    said = []
    for line in text.splitlines():
        bare = line.removeprefix("# ")
        key = bare.partition(" = ")[0]
        in_comment = line.startswith("# ") and (bare.startswith("[") or key.isidentifier())
        said.append(bare.partition("  ")[0] if in_comment else line)
    config = read(
        "\n".join(said)
        .replace('"view-pin"', '"wall"')
        .replace('"mqtt-password"', '"mqtt"')
        .replace('"metrics-token"', '"token"')
    )
    assert config.mqtt is not None
    assert len(config.machines) == 2
    keys = {key for section in SECTIONS.values() for key in section}
    told = {key for key in keys if f"{key} = " in text or f"[machine.{key}]" in text}
    assert told == keys


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("[web\n", "gym.toml", "at line 1"),
        ("[web]\nport = 1\nport = 2\n", "gym.toml", "line 3"),
        ("[wbe]\n", "line 1", "did you mean web?"),
        ("[web]\nprot = 1\n", "line 2", "did you mean port?"),
        ("web = 1\n", "line 1", "write [web]"),
        ("[machine]\nid = 'x'\n", "line 1", "two brackets"),
        ("[[machine]]\nid = 'x'\n", "line 1", "no address"),
        ("[[machine]]\naddress = 'sim:'\n", "line 1", "no id"),
        (
            "[[machine]]\nid='x'\naddress='sim:'\n[[machine]]\nid='x'\naddress='sim:'\n",
            "line 5",
            "line 2 has this id already",
        ),
        (
            "[[machine]]\nid='Left'\naddress='sim:'\n[[machine]]\nid='left'\naddress='sim:'\n",
            "line 5",
            "line 2 has this id already",
        ),
        (
            "[[machine]]\nid='x'\naddress='ble:A'\n[[machine]]\nid='y'\naddress='ble:A'\n",
            "line 6",
            "line 3 has this address already",
        ),
        ("[[machine]]\nid='x'\naddress='sim:'\n[machine.range]\na=1\n", "line 4", "'range'"),
        ("['w=b']\na=1\n", "line 1", "no section 'w=b'"),
        ("[web]\nport = 1" + "0" * 5000, "gym.toml", "a number is too long"),
        ("[web]\nport = 0x1" + "f" * 5000, "line 2", "a number of thousands of digits"),
        ("[web]\nallow_hosts = " + "[" * 9000, "gym.toml", "nested too deeply"),
        ("[[web]]\nport = 1\n", "line 1", "write [web]"),
        ('web = {"port" = -1}\n', "line 1", "port = -1"),
        ("[web]\nport = 2020-01-01\n", "line 2", "port = 2020-01-01: must be"),
        ("machine = [\n{id='x', address='sim:'},\n{id='x'},\n]\n", "line 3", "no address"),
        ("[store]\nurl='postgresql://u:word@h/d'\n", "line 2", "LEGCURL_STORE_URL"),
        ("[store]\nurl='postgresql://h/d?password=word'\n", "line 2", "LEGCURL_STORE_URL"),
        ("[web]\npin_file='short'\n", "line 2", "a PIN has 4 to 64 characters"),
        ("[web]\nmetrics_token_file='short'\n", "line 2", "at least 16 plain characters"),
        ("[web]\npin_file='pin'\nview_pin_file='pin'\n", "line 3", "the two PINs are the same"),
        ("[[machine]]\nid='x'\naddress='sim:'\nflexed_deg=3\n", "line 4", "two ends"),
        (
            "[[machine]]\nid='x'\naddress='sim:'\nflexed_deg=3\nextended_deg=4.0\n",
            "line 4",
            "apart",
        ),
        ("[mqtt]\nport = 1883\n", "line 1", "no host"),
        ("[mqtt]\nhost = 'b'\n", "gym.toml", "add id"),
        ("[gym]\nid='g'\n[mqtt]\nhost='b'\npassword_file='mqtt'\n", "line 5", "username"),
        ("[gym]\nid='g'\n[mqtt]\nhost='b'\nca_file='x'\n", "line 5", "tls = true"),
        ("[web]\npin = '1234'\n", "line 2", "pin_file"),
        ("[mqtt]\npassword = 'x'\n", "line 2", "LEGCURL_MQTT_PASSWORD"),
    ],
)
def test_contradictory_keys_are_told_with_the_remedy(text: str, place: str, said: str):
    told = problems(text)
    assert any(place in line and said in line for line in told), told


def test_all_problems_are_told_at_once_and_the_first_stands_for_them():
    with pytest.raises(InvalidConfigError) as caught:
        read("[web]\nport = 99999\nhost = 1\n[log]\nlevel = 'loud'\n")
    assert len(caught.value.problems) == 3
    assert "2 more: legcurl config check" in str(caught.value)


def test_variables_stand_over_the_file():
    config = read(
        WHOLE.replace('ca_file = "ca.pem"\n', ""),
        LEGCURL_WEB_PORT="9000",
        LEGCURL_WEB_ALLOW_HOSTS="a.example, b.example",
        LEGCURL_MQTT_TLS="false",
        LEGCURL_MQTT_PORT="1884",
        LEGCURL_GYM_ID="south",
        LEGCURL_STORE_URL="postgresql://db/gym",
        LEGCURL_PIN="over the file",
        LEGCURL_ENGINE="cpython",
    )
    assert config.web.port == 9000
    assert config.web.allow_hosts == ("a.example", "b.example")
    assert config.mqtt is not None
    assert (config.mqtt.tls, config.mqtt.port) == (False, 1884)
    assert (config.gym.id, config.store.url) == ("south", "postgresql://db/gym")
    assert config.web.pin == Secret("over the file")


def test_wrong_variables_are_named():
    told = problems("", LEGCURL_WEB_PORT="many", LEGCURL_WEB_PROT="1", LEGCURL_LOG_LEVEL="loud")
    level, port, unknown = sorted(told)
    assert level.startswith("LEGCURL_LOG_LEVEL: 'loud' must be ")
    assert port.startswith("LEGCURL_WEB_PORT: 'many' must be a whole number")
    assert unknown.startswith("LEGCURL_WEB_PROT: ")
    assert "Did you mean LEGCURL_WEB_PORT?" in unknown


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        ("LEGCURL_PINN", "Did you mean LEGCURL_PIN?"),
        ("LEGCURL_WEB_PIN", "Did you mean LEGCURL_PIN?"),
        ("LEGCURL_MQTT_PASWORD", "Did you mean LEGCURL_MQTT_PASSWORD?"),
        ("LEGCURL_WBE_PORT", "Did you mean LEGCURL_WEB_PORT?"),
        ("LEGCURL_WEB_COLOUR", "no such variable"),
        ("LEGCURL_MACHINE_ADDRESS", "name them in the file"),
    ],
)
def test_an_unknown_variable_is_refused_without_its_value(variable: str, said: str):
    """A PIN under a misspelt name would leave the page open."""
    (told,) = problems("", **{variable: "sesame"})
    assert told.startswith(f"{variable}: ")
    assert said in told
    assert "sesame" not in told


def test_foreign_and_empty_variables_are_ignored():
    others = ("ENGINE", "CHAOS", "TEST", "COMPLETE", "SEED", "PACE", "FLASH", "KEYS", "BOARD")
    assert read("", **{f"LEGCURL_{name}": "1" for name in others}) == Config()
    nothing = {"LEGCURL_WEB_PORT": "", "LEGCURL_MQTT_HOST": "", "LEGCURL_PIN": ""}
    assert read("", **nothing) == Config()


def test_a_text_of_digits_is_a_number_only_where_one_belongs():
    assert read("", LEGCURL_GYM_ID="12").gym.id == "12"


def test_a_secret_is_shown_nowhere():
    config = read(WHOLE, LEGCURL_VIEW_PIN="hush hush")
    for text in (repr(config), str(config), repr(shown(config)), f"{config.web.pin}"):
        for secret in ("2468", "s3cret", "hush"):
            assert secret not in text


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("LEGCURL_PIN", "1x3"),
        ("LEGCURL_PIN", "x" * 65),
        ("LEGCURL_VIEW_PIN", "bell\a"),
        ("LEGCURL_METRICS_TOKEN", "shorttoken"),
        ("LEGCURL_MQTT_PASSWORD", "x" * 1025),
    ],
)
def test_an_invalid_secret_is_refused_without_its_value(variable: str, value: str):
    told = problems("[gym]\nid='g'\n[mqtt]\nhost='b'\nusername='u'\n", **{variable: value})
    assert [line.partition(":")[0] for line in told] == [variable]
    assert value not in told[0]


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("postgresql://gym:p4ss:w/ord@db/gym", None),
        ("postgresql://gym:p4ss@db:5432/gym", "postgresql://gym:***@db:5432/gym"),
        ("postgresql://:p4ss@db/gym", "postgresql://:***@db/gym"),
        ("postgresql://db/gym?sslmode=require&password=p4ss", None),
    ],
)
def test_a_stores_password_comes_from_the_environment_and_is_shown_nowhere(
    url: str, seen: str | None
):
    config = read("", LEGCURL_STORE_URL=url)
    assert config.store.url == url
    assert "p4ss" not in repr(config) + str(shown(config))
    if seen is not None:
        assert without_password(url) == seen
    unknown = url.replace("postgresql", "mysql")
    for told in (
        problems(f"[store]\nurl = '{url}'\n"),
        problems(f"[store]\nurl = '{unknown}'\n"),
        problems("", LEGCURL_STORE_URL=unknown),
    ):
        assert "p4ss" not in str(told)


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ("[web]\npin_file = 271828\n", {}),
        ("[web]\npin = 271828\n", {}),
        ("[gym]\nid = 'g'\n[mqtt]\nhost = 'me:271828@broker'\n", {}),
        ("[gym]\nid = 'g'\n[mqtt]\nhost = 'mqtt://me:271828@broker'\n", {}),
        ("", {"LEGCURL_MQTT_HOST": "me:271828@broker"}),
        ("[web]\nport = 271828 271828\n", {}),
    ],
)
def test_a_secret_where_it_does_not_belong_is_not_repeated(text: str, variables: dict[str, str]):
    told = problems(text, **variables)
    assert "271828" not in str(told)


@pytest.mark.parametrize("content", ["", "two\nlines", "x" * 1025, "bell\a"])
def test_a_file_of_a_secret_holds_one_line(content: str):
    with pytest.raises(InvalidConfigError) as caught:
        read_config("[web]\npin_file = 'p'\n", name="gym.toml", read_secret=lambda _: content)
    assert "gym.toml, line 2: p must hold one line" in str(caught.value)
    assert "bell" not in str(caught.value)


PIECES = st.sampled_from(
    [
        *("[web]", "[[machine]]", "[mqtt]", "port = ", "id = ", '"x"', "1", "true", "[", "]", "{"),
        *(
            "}",
            "\n",
            "=",
            ".",
            "'",
            '"""',
            "#",
            "host",
            "address = ",
            '"sim:"',
            "\\",
            "\u2028",
            " ",
        ),
    ]
)


def outcome(text: str, variables: dict[str, str] | None = None) -> Config | list[str]:
    """A configuration, or where its problems are; anything else is an error."""
    try:
        return read_config(text, variables=variables)
    except InvalidConfigError as error:
        return [problem.where for problem in error.problems]


@settings(derandomize=True, deadline=None, max_examples=400)
@given(st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=30).map("".join)))
def test_no_text_makes_anything_but_a_configuration_or_problems(text: str):
    assert outcome(text)


@settings(derandomize=True, deadline=None, max_examples=200)
@given(
    st.dictionaries(
        st.sampled_from(
            [
                *(f"LEGCURL_{name}_{key}".upper() for name in SECTIONS for key in SECTIONS[name]),
                *SECRETS.values(),
            ]
        ),
        st.text(max_size=30),
        max_size=4,
    )
)
def test_no_variables_do_either(variables: dict[str, str]):
    assert outcome("", variables)


def test_the_handbook_shows_the_whole_example():
    root = Path(__file__).resolve().parents[3]
    example = (Path(read_config.__code__.co_filename).parent / "example.toml").read_text()
    assert f"```toml\n{example}```\n" in (root / "docs" / "operate.md").read_text()
