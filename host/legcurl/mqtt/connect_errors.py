"""Errors of connecting to a broker, with their remedies, and the TLS context they come from."""

from __future__ import annotations

import socket
import ssl
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.reasoncodes import ReasonCode

from legcurl.config.model import MqttConfig
from legcurl.errors import BrokerRefusedError, ConfigError

CONNECT_S = 3.0  # for TCP, and again for TLS
_WHY = {
    0x84: "It speaks no MQTT 5: update the broker.",
    0x85: "It does not accept the client's name.",
    0x86: "The user name or password is wrong.",
    0x87: "Not authorized: check the user name, the password, and what the broker's rules allow.",
    0x88: "It is not available now.",
    0x89: "It is busy.",
    0x8A: "It has banned this client.",
    0x8C: "It wants another way of signing in than a password.",
    0x8E: "Another client has connected under the same name.",
    0x95: "The message is larger than it accepts.",
    0x97: "A quota is exceeded.",
}


def refusal(what: str, reason: ReasonCode) -> BrokerRefusedError:
    """The error of a broker's reason code; `what` says what it refused."""
    return BrokerRefusedError(
        f"{what}. {_WHY.get(reason.value, f'It says: {reason}.')}", reason.value
    )


def tls_context(broker: MqttConfig) -> ssl.SSLContext:
    """The context that checks the broker's certificate. ConfigError for an invalid CA file."""
    try:
        context = ssl.create_default_context(cafile=broker.ca_file and str(broker.ca_file))
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"{broker.ca_file} cannot be used to check the broker's certificate ({error}): it "
            "must be a PEM file of the authority that signed it."
        ) from error
    context.sslsocket_class = _TidySocket
    return context


class _TidySocket(ssl.SSLSocket):
    """A socket that closes if its handshake fails: paho loses it without closing it."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise


def why_no_connection(broker: MqttConfig, error: Exception) -> str:
    """The message of an error that `connect` raised."""
    where = broker.where
    match error:
        case ssl.SSLCertVerificationError():
            trusted = broker.ca_file or "this system's list of authorities"
            return (
                f"The certificate of {where} is not to be trusted ({error.verify_message}): "
                f"it is checked against {trusted}, and must be for the name {broker.host}."
            )
        case ssl.SSLError():
            return f"{where} does not speak TLS ({error.reason}). Is that its port for TLS?"
        case socket.gaierror():
            return f"{where}: no computer of that name is known. Check the broker's name."
        case ConnectionRefusedError():
            return f"Nothing listens at {where}. Is the broker running, and is that its port?"
        case ConnectionResetError() | ConnectionAbortedError():
            wants = "Does it speak TLS there?" if broker.tls else "Is it a broker?"
            return f"{where} closed the connection at once. {wants}"
        case TimeoutError():
            return f"{where} does not answer within {CONNECT_S:.0f} s: off, or behind a firewall?"
    return f"{where} cannot be reached: {error}."


def tls_hint(broker: MqttConfig) -> str:
    """A hint for an address without TLS."""
    return "" if broker.tls else " If it wants TLS, write mqtts://."


def in_words(code: Any) -> str:
    """The message of a result code of paho."""
    return paho.error_string(code).rstrip(".").lower()
