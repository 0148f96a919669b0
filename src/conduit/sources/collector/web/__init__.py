"""Web frameworks that list their own routes, one module each; `readers` finds the framework of an application."""
