"""Measurements, not tests: `make bench` prints ratios of things measured side by side."""
