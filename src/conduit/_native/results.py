"""Lines of benchmark results, read in C.

    add_results(lines, at, plans)
        Add the values of plain result lines to their lists, from line `at` on, and return the number of the first line
        that is left to the reader in Python, and its key. `plans[key]` is (lists, factors): for each value of such a
        line the list that it is added to, or None, and its factor. The key is None for a line that is not plain, else
        it is the one to enter a plan under: name and units.

Importing this raises ImportError where the extension is not loaded; see `conduit._native.reason`.
"""

from conduit._native._core import add_results

__all__ = ["add_results"]
