"""Reports on a profile: all formats of `go tool pprof`, and several more.

A report is made in two separate steps: compute rows (`formats.top`, `formats.tree`, `formats.listing`, …), then print
them. The shell, the web page and the command line use the same rows, so their numbers agree. `pipeline` turns a
profile and `Options` into a `Report`, `graph` sums its samples, and each format has a module in `formats`. The
profile itself is read by `conduit.fetch`.

Numbers, order and wording are those of google/pprof, character for character, except where pprof counts wrongly
(recursion in listings, rows of `-files`, edges under `-mean`). Used by the command line, `conduit.fetch`,
`conduit.web` and the notebook extension.
"""
