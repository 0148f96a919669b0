"""Comparison of models with migrations, without the application's database: what a migration tool would write next."""
