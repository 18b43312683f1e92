"""Calibration: the lever's movement in; a record for the sensor, findings and a drawing out."""
