"""SQLAlchemy: mapped classes, their tables, relationships and events."""
