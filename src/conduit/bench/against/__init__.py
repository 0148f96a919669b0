"""Comparison of two revisions, measured alternately in pairs of processes, so that drift of the machine cancels."""
