"""Programs to try runctl with; plain Python 3.8."""
