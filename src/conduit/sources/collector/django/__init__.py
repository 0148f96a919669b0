"""Django and Django REST framework: models, signals and URL patterns."""
