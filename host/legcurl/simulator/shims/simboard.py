"""What the runner says about the simulated board: its seed, and why it last started."""

seed = 0
reset_cause = 1  # machine.PWRON_RESET
