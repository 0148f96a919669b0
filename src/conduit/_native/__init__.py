"""The one C extension."""
