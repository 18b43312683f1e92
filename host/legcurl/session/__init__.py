"""Frames and annotations to events: what one sensor told, in order. Pure."""
