"""Amounts with a unit, as profiles carry and reports print them: converted, labelled, as a share of a total.

The units, their spellings and the way one is chosen are pprof's: sizes in steps of 1024, times up to hours (there
are no minutes), Google compute units. A spelling is looked up in lower case and without a plural `s`.
"""

from __future__ import annotations


class Unit:
    """A unit: its printed name, how many base units (bytes, nanoseconds, GCU) it holds, and its family."""

    __slots__ = ("factor", "family", "name")

    def __init__(self, name: str, factor: float, family: UnitFamily) -> None:
        self.name: str = name
        self.factor: float = factor
        self.family: UnitFamily = family


class UnitFamily:
    """Units that can be converted into each other, smallest first, and the one to use when none is asked for."""

    __slots__ = ("default", "units")

    default: Unit

    def __init__(self, default: str, rows: tuple[tuple[str, float, str], ...]) -> None:
        self.units: list[Unit] = []
        for name, factor, spellings in rows:
            unit = Unit(name, factor, self)
            self.units.append(unit)
            if name == default:
                self.default = unit
            for spelling in spellings.split():
                _UNITS[spelling] = unit


_UNITS: dict[str, Unit] = {}
_KNOWN: dict[
    str, Unit | None
] = {}  # by spellings that were looked up; a profile has few, and each many times
_MOST_KNOWN = 1_000

SIZES = UnitFamily(
    "B",
    (
        ("B", 1.0, "b byte"),
        ("kB", 1024.0, "kb kbyte kilobyte"),
        ("MB", 1024.0**2, "mb mbyte megabyte"),
        ("GB", 1024.0**3, "gb gbyte gigabyte"),
        ("TB", 1024.0**4, "tb tbyte terabyte"),
        ("PB", 1024.0**5, "pb pbyte petabyte"),
    ),
)
TIMES = UnitFamily(
    "s",
    (
        ("ns", 1.0, "ns nanosecond"),
        ("us", 1e3, "μs us microsecond"),
        ("ms", 1e6, "ms millisecond"),
        ("s", 1e9, "s sec second"),
        ("hrs", 3600e9, "hour hr"),
    ),
)
COMPUTE_UNITS = UnitFamily(
    "GCU",
    (
        ("n*GCU", 1e-9, "nanogcu"),
        ("u*GCU", 1e-6, "microgcu"),
        ("m*GCU", 1e-3, "milligcu"),
        ("GCU", 1.0, "gcu"),
        ("k*GCU", 1e3, "kilogcu"),
        ("M*GCU", 1e6, "megagcu"),
        ("G*GCU", 1e9, "gigagcu"),
        ("T*GCU", 1e12, "teragcu"),
        ("P*GCU", 1e15, "petagcu"),
    ),
)

# Targets that choose a unit by the value, and targets that are not worth printing behind a number.
_BY_VALUE = ("minimum", "auto")
_SILENT = ("count", "sample", "unit", *_BY_VALUE)


def find_unit(spelling: str) -> Unit | None:
    """Return the unit with this spelling (`ms`, `Bytes`, `seconds`), or None.

    None stands for a unit of no family (`count`).
    """
    if spelling in _KNOWN:
        return _KNOWN[spelling]
    if len(_KNOWN) > _MOST_KNOWN:
        _KNOWN.clear()
    short = spelling.lower()
    unit = _KNOWN[spelling] = _UNITS.get(short.removesuffix("s") if len(short) > 2 else short)
    return unit


def scale(value: int, from_unit: str, to_unit: str) -> tuple[float, str]:
    """Convert a value; return it and the printed name of its unit, empty where that would say nothing.

    With `minimum` or `auto` the largest unit that leaves at least 1 is taken. A target of another family gives the
    family's default unit (B, s, GCU); a source that belongs to no family leaves the number as it is.
    """
    if value < 0:
        scaled, name = scale(-value, from_unit, to_unit)
        return -scaled, name
    source = find_unit(from_unit)
    if source is None:
        return float(value), "" if to_unit in _SILENT else to_unit
    base_value = float(value) * source.factor
    target = _target(source.family, base_value, to_unit)
    return base_value / target.factor, target.name


def _target(family: UnitFamily, base_value: float, to_unit: str) -> Unit:
    if to_unit in _BY_VALUE:
        fitting = [unit for unit in family.units if base_value / unit.factor >= 1.0]
        return fitting[-1] if fitting else family.default
    unit = find_unit(to_unit)
    return unit if unit is not None and unit.family is family else family.default


def scaled_label(value: int, from_unit: str, to_unit: str) -> str:
    """Convert a value and print it with at most two decimals and its unit: `1.09s`, `430ms`, `0`."""
    scaled, name = scale(value, from_unit, to_unit)
    text = f"{scaled:.2f}".removesuffix(".00")
    return "0" if text in ("0", "-0") else text + name


def label(value: int, unit: str) -> str:
    """Print a value in whatever unit suits it best."""
    return scaled_label(value, unit, "auto")


def percentage(value: int, total: int) -> str:
    """Print a value's share of a total, without its sign, in six columns: `  100%`, `46.47%`, `0.024%`."""
    percent = abs(value / total) * 100 if total else 0.0
    if 99.95 <= percent <= 100.05:
        return "  100%"
    return f"{percent:5.2f}%" if percent >= 1.0 else f"{percent:5.2g}%"


def quotient(value: int, divisor: int) -> int:
    """Divide whole numbers and round towards zero; a divisor of 0 leaves the value as it is."""
    if not divisor:
        return value
    return value // divisor if (value < 0) == (divisor < 0) else -(-value // divisor)
