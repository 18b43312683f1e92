"""A sensor without hardware: a `sim:` address in; the real firmware's bytes and the truth out."""
