"""The lever's range, measured while an installer leads it."""
