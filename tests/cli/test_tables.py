from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from conduit.cli.tables import Layout, Page, clean, display_width, standard_page


def printed(width: int | None, header: list[str], rows: list[list[str]], indent: str = "") -> list[str]:
    stream = io.StringIO()
    Page(stream, width, False).table(header, rows, indent)
    return stream.getvalue().splitlines()


def test_columns_are_as_wide_as_their_widest_cell_and_numbers_stand_on_the_right() -> None:
    assert printed(None, ["NAME", "COUNT"], [["a", "5"], ["longer", "12"]]) == [
        "NAME    COUNT",
        "a           5",
        "longer     12",
    ]


def test_a_column_that_is_empty_throughout_is_left_out() -> None:
    assert printed(None, ["A", "B", "C"], [["1", "", "3"]]) == ["A  C", "1  3"]


def test_without_a_width_no_cell_is_cut() -> None:
    long = "x" * 5_000
    assert printed(None, ["A"], [[long]]) == ["A", long]


@given(
    rows=st.lists(st.lists(st.text("ab{}% 12.", max_size=6), min_size=3, max_size=3), max_size=6),
    indent=st.sampled_from(["", "  "]),
)
def test_rows_that_are_written_at_once_are_those_of_a_wide_enough_terminal(
    rows: list[list[str]], indent: str
) -> None:
    assert printed(None, ["A", "", "C"], rows, indent) == printed(400, ["A", "", "C"], rows, indent)


def test_the_widest_column_is_cut_first_and_says_so() -> None:
    rows = [["short", "y" * 100, "z"]]
    header, row = printed(40, ["A", "B", "C"], rows)
    assert header.split() == ["A", "B", "C"]
    assert row.startswith("short  ")
    assert "…" in row
    assert row.endswith("  z")
    assert len(row) == 40


@given(
    st.lists(
        st.lists(st.text(max_size=60), min_size=3, max_size=3).filter(lambda row: all(map(clean, row))),
        min_size=1,
        max_size=6,
    ),
    st.integers(min_value=30, max_value=120),
)
def test_every_line_of_a_table_fits_the_terminal(rows: list[list[str]], width: int) -> None:
    assert all(display_width(line) <= width for line in printed(width, ["A", "B", "C"], rows))


@given(st.text())
def test_a_cell_is_one_line_with_nothing_that_a_terminal_would_obey(text: str) -> None:
    cleaned = clean(text)
    assert cleaned.isprintable()
    assert "\x1b" not in cleaned


def test_an_escape_sequence_from_a_document_is_shown_and_not_sent() -> None:
    assert printed(None, ["A"], [["\x1b[31mred\nnext"]]) == ["A", "\\x1b[31mred next"]


def test_wide_characters_take_two_cells_and_combining_marks_none() -> None:
    assert display_width("惑星") == 4
    assert display_width("e\u0301") == 1
    assert printed(None, ["A", "B"], [["惑星", "x"], ["ab", "x"]])[1:] == ["惑星  x", "ab    x"]


def test_running_text_is_broken_at_the_width_and_never_within_a_word() -> None:
    stream = io.StringIO()
    Page(stream, 12, False).paragraph("one two three\nfour " + "w" * 20, "  ")
    assert stream.getvalue().splitlines() == ["  one two", "  three", "  four", "  " + "w" * 20]


def test_emphasis_is_only_for_headings_and_only_where_it_is_wanted() -> None:
    stream = io.StringIO()
    page = Page(stream, None, True)
    page.heading("H")
    page.table(["A"], [["1"]])
    assert stream.getvalue() == "\x1b[1mH\x1b[0m\n\x1b[1mA\x1b[0m\n1\n"


def test_output_that_is_no_terminal_has_no_width_and_no_emphasis(capsys: object) -> None:
    page = standard_page()
    assert (page.width, page.emphasis) == (None, False)


def test_a_layout_says_which_end_of_a_cell_is_kept_and_which_column_may_go() -> None:
    stream = io.StringIO()
    layout = Layout("B", whole=("A",), ends=("B",), middles=("C",), optional=("D",))
    row = ["w" * 10, "begin" + "x" * 60 + "end", "first" + "y" * 60 + "last", "z" * 60]
    left_out = Page(stream, 60, False).table(["A", "B", "C", "D"], [row], layout=layout)
    header, shown = stream.getvalue().splitlines()
    assert (header.split(), left_out) == (["A", "B", "C"], ["D"])
    whole, end, middle = shown.split()
    assert whole == row[0]
    assert end.startswith("…") and end.endswith("end") and len(end) == 30
    assert middle.startswith("first") and middle.endswith("last") and "…" in middle
    assert len(shown) <= 60


@given(st.text(), st.integers(min_value=1, max_value=30))
def test_a_cell_that_is_cut_anywhere_fits_its_width(text: str, width: int) -> None:
    layout = Layout(ends=("A",), middles=("B",))
    stream = io.StringIO()
    Page(stream, width, False).table(["A", "B"], [[text, text]], layout=layout)
    assert all(display_width(line) <= max(width, 4) for line in stream.getvalue().splitlines())


def printed_with(layout: Layout, width: int, header: list[str], rows: list[list[str]]) -> list[str]:
    stream = io.StringIO()
    Page(stream, width, False).table(header, rows, layout=layout)
    return stream.getvalue().splitlines()


def test_a_column_that_wraps_loses_nothing_and_breaks_between_words() -> None:
    rows = [["/devices/<pk>/console-ports/", "DeviceTypeSerializer"], ["/", "local_config_context_data"]]
    assert printed_with(Layout(wrap=("PATH", "NAME")), 34, ["PATH", "NAME"], rows) == [
        "PATH              NAME",
        "/devices/<pk>/    DeviceType",
        "console-ports/    Serializer",
        "/                 local_config_",
        "                  context_data",
    ]


def test_most_cells_of_a_column_that_wraps_decide_its_width_and_the_longest_is_broken() -> None:
    rows = [[f"name_{number}", "x" * 20] for number in range(20)] + [
        ["a_name_that_is_longer_than_the_others", ""]
    ]
    lines = printed_with(Layout(wrap=("NAME",), whole=("B",)), 36, ["NAME", "B"], rows)
    assert lines[1] == "name_0          xxxxxxxxxxxxxxxxxxxx"
    assert "".join(line.split()[0] for line in lines[21:]) == "a_name_that_is_longer_than_the_others"


def test_an_optional_column_that_would_be_broken_into_many_lines_is_left_out() -> None:
    rows = [["name", ", ".join(["csrf_exempt"] * 9)]]
    layout = Layout(wrap=("NAME", "MIDDLEWARE"), optional=("MIDDLEWARE",))
    assert printed_with(layout, 40, ["NAME", "MIDDLEWARE"], rows) == ["NAME", "name"]
    assert "csrf_exempt" in printed_with(layout, 90, ["NAME", "MIDDLEWARE"], rows)[1]


@given(st.text(min_size=1, max_size=60), st.integers(min_value=2, max_value=20))
def test_a_cell_that_is_broken_fits_its_column_and_keeps_its_text(text: str, width: int) -> None:
    cleaned = clean(text)
    lines = printed_with(Layout(wrap=("A",)), width, ["A"], [[cleaned]])[1:]
    assert all(display_width(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(cleaned.split())
