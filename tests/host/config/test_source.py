"""Files and the environment: what is taken from where, and what is left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from legcurl.cli.serve_config import Options, Wanted
from legcurl.config import ConfigSource, InvalidConfigError, Secret
from legcurl.errors import ConfigError
from selection import first_short

LEGCURL = str(Path(sys.executable).parent / "legcurl")


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def test_secrets_leave_the_environment_and_stay_for_the_next_reading(tmp_path: Path):
    password = write(tmp_path / "password", "hush")
    environment = {
        "LEGCURL_PIN": "2468",
        "LEGCURL_WEB_PORT": "81",
        "HOME": "/",
        "LEGCURL_MQTT_PASSWORD_FILE": str(password),
    }
    source = ConfigSource(write(tmp_path / "gym.toml", ""), environment)
    assert environment == {"LEGCURL_WEB_PORT": "81", "HOME": "/"}
    for _ in range(2):
        config = source.read()
        assert config.web.pin is not None
        assert (config.web.pin.value, config.web.port) == ("2468", 81)
        given = source.broker_password()  # for one that the command line names
        assert given is not None
        assert given.value == "hush"


def test_a_store_url_with_a_password_is_a_secret_too(tmp_path: Path):
    url = "postgresql://gym:word@db/gym"
    environment = {"LEGCURL_STORE_URL": url}
    assert ConfigSource(None, environment).read().store.url == url
    assert environment == {}
    environment = {"LEGCURL_STORE_URL": "postgresql://gym@db/gym"}
    ConfigSource(None, environment)
    assert environment


def test_a_secret_lies_beside_the_file_or_is_a_credential_of_systemd(tmp_path: Path):
    file = write(tmp_path / "gym.toml", "[web]\npin_file = 'pin'\nview_pin_file = 'wall'\n")
    write(tmp_path / "pin", "beside\n")
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    write(credentials / "wall", "credential", 0o440)
    config = ConfigSource(file, {"CREDENTIALS_DIRECTORY": str(credentials)}).read()
    assert config.web.pin is not None
    assert config.web.view_pin is not None
    assert (config.web.pin.value, config.web.view_pin.value) == ("beside", "credential")
    assert config.warnings == ()


def test_a_secret_that_others_may_read_is_worth_a_word(tmp_path: Path):
    file = write(tmp_path / "gym.toml", "[web]\npin_file = 'pin'\n")
    pin = write(tmp_path / "pin", "2468", 0o644)
    (warning,) = ConfigSource(file, {}).read().warnings
    assert f"chmod 600 {pin}" in warning


def test_a_variable_may_name_the_file(tmp_path: Path):
    pin = write(tmp_path / "pin", "2468")
    config = ConfigSource(None, {"LEGCURL_PIN_FILE": str(pin)}).read()
    assert config.web.pin is not None
    assert config.web.pin.value == "2468"
    with pytest.raises(InvalidConfigError, match=r"LEGCURL_PIN_FILE: .*nowhere cannot be read"):
        ConfigSource(None, {"LEGCURL_PIN_FILE": str(tmp_path / "nowhere")}).read()


def test_a_brokers_ca_lies_beside_the_file_and_has_to_be_there(tmp_path: Path):
    text = "[gym]\nid = 'g'\n[mqtt]\nhost = 'b'\ntls = true\nca_file = 'ca.pem'\n"
    source = ConfigSource(write(tmp_path / "gym.toml", text), {})
    with pytest.raises(InvalidConfigError, match=r"line 6: .*ca\.pem cannot be read"):
        source.read()
    write(tmp_path / "ca.pem", "")
    config = source.read()
    assert config.mqtt is not None
    assert config.mqtt.ca_file == tmp_path / "ca.pem"
    elsewhere = {"LEGCURL_MQTT_CA_FILE": str(tmp_path / "nowhere.pem")}
    with pytest.raises(InvalidConfigError, match=r"LEGCURL_MQTT_CA_FILE: .*cannot be read"):
        ConfigSource(tmp_path / "gym.toml", elsewhere).read()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xef\xbb\xbf[web]\r\nport = 1\r\n", None),
        (b"[web]\n# gym\xe4\n", "line 2: it is no text in UTF-8"),
        (b"# " + b"x" * (1 << 20), "longer than 1 MB"),
        ("[web]\n".encode("utf-16"), "no text in UTF-8"),
        (b"\0", "this is no TOML"),
    ],
)
def test_a_file_as_editors_write_it_is_read_and_any_other_is_refused(
    content: bytes, said: str | None, tmp_path: Path
):
    file = tmp_path / "gym.toml"
    file.write_bytes(content)
    if said is None:
        assert ConfigSource(file, {}).read().web.port == 1
        return
    with pytest.raises(InvalidConfigError, match=said):
        ConfigSource(file, {}).read()


def test_a_missing_file_or_a_folder_is_named(tmp_path: Path):
    with pytest.raises(InvalidConfigError, match="legcurl config init"):
        ConfigSource(tmp_path / "none.toml", {}).read()
    with pytest.raises(InvalidConfigError, match="cannot be read"):
        ConfigSource(tmp_path, {}).read()


def legcurl(*words: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LEGCURL, "config", *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **variables},
    )


@pytest.mark.long
def test_init_writes_a_valid_file_and_never_replaces_one(tmp_path: Path):
    assert legcurl("init", cwd=tmp_path).returncode == 0
    checked = legcurl("check", cwd=tmp_path)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert checked.stdout.splitlines()[-1] == "legcurl.toml: no problems found."
    again = legcurl("init", cwd=tmp_path)
    assert again.returncode == 7
    assert "exists already" in again.stderr


@pytest.mark.long
def test_check_tells_each_problem_on_a_line_and_hides_secrets(tmp_path: Path):
    write(tmp_path / "gym.toml", "[web]\nport = -1\nhots = 'x'\n")
    wrong = legcurl("check", "gym.toml", cwd=tmp_path)
    assert wrong.returncode == 2
    assert [line.partition(":")[0] for line in wrong.stderr.splitlines()] == ["legcurl"] * 2
    told = json.loads(legcurl("check", "gym.toml", "--json", cwd=tmp_path).stdout)
    assert [one["where"] for one in told["problems"]] == ["gym.toml, line 2", "gym.toml, line 3"]
    write(tmp_path / "gym.toml", "")
    for words in (("--json",), ()):
        well = legcurl("check", "gym.toml", *words, cwd=tmp_path, LEGCURL_PIN="sesame")
        assert well.returncode == 0
        assert "sesame" not in well.stdout + well.stderr
        assert "not shown" in well.stdout


@pytest.mark.parametrize(
    ("text", "said"),
    first_short(
        [
            (
                "[web]\nhost = '0.0.0.0'\n[[machine]]\nid = 'a'\naddress = 'sim:'\n",
                "a PIN is needed",
            ),
            ("", "Name at least one machine"),
        ]
    ),
)
def test_check_warns_about_a_value_that_stops_the_service(text: str, said: str, tmp_path: Path):
    """And no more than that: options and the service's own environment may add what lacks."""
    write(tmp_path / "legcurl.toml", text)
    checked = legcurl("check", cwd=tmp_path)
    assert checked.returncode == 0
    (warning,) = checked.stderr.splitlines()
    assert said in warning
    told = json.loads(legcurl("check", "--json", cwd=tmp_path).stdout)
    assert told["ok"]
    assert said in told["warnings"][0]


def test_a_broker_on_the_command_line_has_the_password_of_the_environment(tmp_path: Path):
    text = "[gym]\nid = 'g'\n[mqtt]\nhost = 'b'\nusername = 'u'\nhome_assistant = true\n"
    options = Options(stations=("sim:",), broker="mqtt://north@other:1884", gym="north")
    for file in (None, write(tmp_path / "gym.toml", text)):
        wanted = Wanted(ConfigSource(file, {"LEGCURL_MQTT_PASSWORD": "hush"}), options)
        for _ in range(2):
            broker = wanted.read().mqtt
            assert broker is not None
            assert (broker.where, broker.username) == ("mqtt://other:1884", "north")
            assert broker.password == Secret("hush")
            assert broker.home_assistant is (file is not None), "what a URL cannot say stays"
    nameless = replace(options, broker="mqtt://other")
    with pytest.raises(ConfigError, match="needs a user name"):
        Wanted(ConfigSource(None, {"LEGCURL_MQTT_PASSWORD": "hush"}), nameless).read()
