"""Models against migrations: what a migration tool would write next, without a database of the application."""
