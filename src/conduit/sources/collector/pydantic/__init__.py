"""Pydantic: models as resources."""
