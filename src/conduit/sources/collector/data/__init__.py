"""Object mappers beside Django's and SQLAlchemy's, one file each."""
