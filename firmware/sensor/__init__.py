"""The sensor's application: encoder → sampler → angle log → frames → link. See docs/protocol.md."""

FIRMWARE_VERSION = "0.1.0"
PROTOCOL_MAJOR = 1
PROTOCOL_MINOR = 1
