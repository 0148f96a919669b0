"""Work outside of requests, a module each: actors and jobs of queues, receivers of signals, application hooks."""
