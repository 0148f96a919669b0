"""HTTP for the pages and the endpoint: a request, a response, the rules about callers, and a server.

`messages` has the records `Request` and `Response`; `access` and `origin` decide which requests are answered;
`server` listens in threads and answers with status 500 if a handler fails. Used by `conduit.web`, `conduit.debug` and
`conduit.middleware`, whose pages and endpoints are functions from `Request` to `Response`.
"""
