"""The formats of a report, one module each: compute the rows of a `Report`, or print it."""
