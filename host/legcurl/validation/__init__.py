"""Detection against what people noted: labels in, agreement with its certainty out. Pure.

`labels.py` reads labelled moments, `comparison.py` compares them with what was detected in one
recording, `certainty.py` has the intervals, `agreement.py` sums recordings up to the figures.
"""
