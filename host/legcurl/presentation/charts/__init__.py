"""Charts of sets: samples and events in, PNG, SVG or PDF out.

`set_chart.py` collects the chart of each set, `set_panel.py` draws one, `page.py` lays panels out
and writes the file. Only drawing needs matplotlib (the extra `plot`).
"""

from legcurl.presentation.charts.set_chart import ChartKeeper, SetChart

__all__ = ["ChartKeeper", "SetChart"]
