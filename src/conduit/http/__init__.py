"""HTTP FOR THE PAGES AND THE ENDPOINT: one request, one response, one rule about callers, one server.

`messages` has the two records, `origin` decides whether a request comes from this machine and under which name,
`server` listens in threads and turns any failure of a handler into an answer with status 500. The profile page, the
trace viewer (`conduit.web`) and `/debug/pprof` (`conduit.debug`) are functions from `Request` to `Response`.
"""
