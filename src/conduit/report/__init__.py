"""HOW A PROFILE IS READ: every report of `go tool pprof`, and a few of our own, from one profile.

A report is made in two steps that never mix: compute a record of rows (`top`, `tree`, `listing`, `flame`, …),
then print it. The shell, the web page, the endpoint and the command line take the same records, so they cannot
disagree. `sources` finds and merges the profiles, `pipeline` turns a profile and `Options` into a `Report`,
`graph` sums its samples, and one module a format prints. Numbers, orders and words are those of
google/pprof, character for character, but for the cases where it counts wrongly (recursion in listings,
rows of `-files`, edges under `-mean`).
"""
