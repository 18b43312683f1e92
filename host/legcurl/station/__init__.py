"""One sensor, kept connected: its link, its clock, its key and its events."""

from legcurl.station.station import Station, open_station

__all__ = ["Station", "open_station"]
