"""`neopixel` of the simulated board: WS2812 lights that remember what they were told."""


class NeoPixel:
    def __init__(self, pin, n):
        self.pin = pin
        self._told = [(0, 0, 0)] * n
        self.shown = list(self._told)

    def __setitem__(self, index, colour):
        self._told[index] = colour

    def __getitem__(self, index):
        return self._told[index]

    def write(self):
        self.shown = list(self._told)
