"""/debug/pprof inside an application."""
