"""The live terminal screen: a MachineState (gym/machine_state.py) in, rows of text out.

`screen.py` draws the rows and knows neither time nor links; `live_screen.py` repaints them as
events come. `bars.py`, `big_digits.py` and `braille_canvas.py` draw the parts.
"""
