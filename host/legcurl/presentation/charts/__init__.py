"""Sets as pictures for paper and screen: what was found, drawn over the samples it was found in.

`set_chart.py` takes samples and events as they come and keeps, in bounded memory, what a picture of
each set needs. `set_panel.py` draws one set, `page.py` lays panels out and writes the file. Only
the last two need matplotlib, the extra `plot`.
"""

from legcurl.presentation.charts.set_chart import ChartKeeper, SetChart

__all__ = ["ChartKeeper", "SetChart"]
