"""Go's benchmark text (golang.org/design/14313-benchmark-format): read, written, and the units of its values."""
