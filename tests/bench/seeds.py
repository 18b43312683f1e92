"""Which simulated sets may be looked at while detection is worked on, and which may only judge it.

A number that was tuned on the sets that judge it says nothing. So every set that a developer plots,
debugs or fits to comes from TUNING, and the published figures from JUDGING. A test holds the two
apart; nothing but the accuracy bench draws from JUDGING.
"""

TUNING = range(100_000)
JUDGING = range(1_000_000, 1_100_000)
