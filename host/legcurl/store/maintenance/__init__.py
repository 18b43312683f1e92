"""Backup, verification, retention, erasure and reanalysis of a store."""
