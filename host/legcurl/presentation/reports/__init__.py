"""One page to hand to a client: a set, or how it went over time. PNG, SVG or PDF.

`coach_feedback.py` says what was good and what to work on, in the words of the coach's page.
`a4_page.py` is the A4 page with its lettering, `set_report.py` and `client_report.py` what stands
on it. Needs matplotlib, as all pictures do. The same sets give the same bytes.
"""
