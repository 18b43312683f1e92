"""What was received, on disk: recordings, journals and CSV traces."""
