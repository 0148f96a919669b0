"""Work outside requests, one file each: actors and jobs of queues, receivers of signals, hooks of an application."""
