"""Events for people: a reducer that any sink can use, words, and the live terminal view.

    events → MachineState.apply → MachineState → screen.draw → what stands on the terminal

`state` and `words` know nothing of terminals; `screen` knows nothing of time or links.
"""
