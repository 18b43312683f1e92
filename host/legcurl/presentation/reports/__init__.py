"""Reports for a client, one A4 page each: stored sets in, a matplotlib figure out.

`set_report.py` reports one set, `client_report.py` a client's sets over time, both on the page of
`a4_page.py`. The same sets give the same bytes. Needs matplotlib (the extra `plot`).
"""
