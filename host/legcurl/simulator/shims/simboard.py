"""What the runner says about the simulated board: its seed, why it last started, its wiring."""

seed = 0
reset_cause = 1  # machine.PWRON_RESET
port = "rp2"  # of MicroPython: what machine.Timer can, and which of rp2 and esp32 there is
encoders = {}  # kind of encoder → its wiring: every one of them is there


def wire(board):
    """Be the board of this board file."""
    global port, encoders
    port = "esp32" if board["mcu"].startswith("esp32") else "rp2"
    encoders = board["encoders"]
