"""Diagnoses a sensor or this computer: measurements in; findings with remedies out."""
