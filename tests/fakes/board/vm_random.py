"""Random numbers that are the same on every VM: xorshift32."""


class Random:
    """Seeded; `below` gives 0 ≤ n < limit."""

    def __init__(self, seed):
        self._state = seed or 1

    def below(self, limit):
        state = self._state
        state ^= state << 13 & 0xFFFFFFFF
        state ^= state >> 17
        state ^= state << 5 & 0xFFFFFFFF
        self._state = state
        return state % limit

    def bytes(self, count):
        return bytes(self.below(256) for _ in range(count))
