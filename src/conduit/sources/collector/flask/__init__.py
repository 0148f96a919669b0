"""Flask: the rules of its URL map and what runs before each view."""
