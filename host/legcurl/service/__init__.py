"""What runs while `legcurl serve` does."""
