"""Two revisions measured in turn, in pairs of processes, so that drift of the machine cancels."""
