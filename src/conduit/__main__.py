"""`python -m conduit` is the `conduit` command."""

from conduit.cli import program

if __name__ == "__main__":
    program()
