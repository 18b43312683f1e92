"""Bytes to frames to requests, without I/O: docs/protocol.md is the specification."""
