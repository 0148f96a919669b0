"""The formats of a report: each module computes the rows of a `Report` and prints them.

Output follows `go tool pprof` for its formats, and the specifications named in the modules for the others. Used by
`conduit.report.pipeline` and by the pages (`conduit.web`).
"""
