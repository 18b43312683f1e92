"""What is wrong with a sensor or this computer, and what helps."""
