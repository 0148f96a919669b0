"""FastAPI and Starlette: routes in the order in which they are matched."""
