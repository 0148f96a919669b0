"""Object mappers other than Django's and SQLAlchemy's, one module each."""
