"""HOW FAST."""
