"""One page to hand to a client: a set, or how it went over time. PNG, SVG or PDF.

`praise.py` says what was good and what to work on, in the words of the coach's page. `sheet.py` is
the A4 page with its lettering, `set_page.py` and `client_page.py` what stands on it. Needs
matplotlib, as all pictures do. The same sets give the same bytes.
"""
