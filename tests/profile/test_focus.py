"""Filters: their laws on generated profiles, each rule on a profile small enough to read, and their warnings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conduit.fetch.symbols import simplify_names
from conduit.profile.focus import Filters, apply_filters, filter_by_name
from conduit.profile.merge import column_sums
from conduit.profile.model import Function, Line, Location, Mapping, Profile, Sample, ValueType
from conduit.profile.prune import drop_frames, prune, simple_name
from conduit.profile.tags import add_tag_frames, numeric_label_units
from conduit.regexps import PatternError, compile_pattern
from tests.profile.strategies import plain, plain_sample, profiles

words = st.sampled_from(["main", "app", "json", "lambda", "^f", "zip", "nothing", "."])


def _quiet(line: str) -> None:
    pass


def _stacks(profile: Profile) -> list[str]:
    """Stacks as text, root first; inlined frames are joined by +."""
    return [
        " ".join(
            "+".join(line.function.name for line in reversed(location.lines) if line.function)
            for location in reversed(sample.locations)
        )
        for sample in profile.samples
    ]


def _profile(*stacks: str) -> Profile:
    """A profile of stacks written as `_stacks` prints them."""
    functions: dict[str, Function] = {}
    locations: dict[str, Location] = {}
    samples = []
    for stack in stacks:
        places = []
        for text in reversed(stack.split()):
            if text not in locations:
                lines = [
                    Line(functions.setdefault(name, Function(len(functions) + 1, name, "", f"{name}.py")), 1)
                    for name in reversed(text.split("+"))
                ]
                locations[text] = Location(len(locations) + 1, None, 0, lines)
            places.append(locations[text])
        samples.append(Sample(places, [1]))
    return Profile([ValueType("n", "count")], samples, [], list(locations.values()), list(functions.values()))


def _filtered(profile: Profile, **filters: str) -> list[str]:
    return _stacks(apply_filters(profile, Filters(**filters), _quiet))


@given(profiles(), words)
def test_focus_and_ignore_part_the_samples_that_have_frames(profile: Profile, word: str) -> None:
    pattern = compile_pattern(word)
    kept = filter_by_name(profile, focus=pattern)[0].samples
    dropped = filter_by_name(profile, ignore=pattern)[0].samples
    stacked = [plain_sample(sample) for sample in profile.samples if sample.locations]
    assert sorted(map(repr, map(plain_sample, [*kept, *dropped]))) == sorted(map(repr, stacked))


@given(profiles(), words, words, words)
def test_filters_never_add_samples_or_frames_and_leave_a_valid_profile(
    profile: Profile, focus: str, hide: str, show_from: str
) -> None:
    before = plain(profile)
    filtered = apply_filters(profile, Filters(focus=focus, hide=hide, show_from=show_from), _quiet)
    filtered.check_valid()
    assert len(filtered.samples) <= len(profile.samples)
    assert sum(len(s.locations) for s in filtered.samples) <= sum(len(s.locations) for s in profile.samples)
    assert plain(profile) == before


@given(profiles(), words)
def test_hiding_and_showing_part_the_lines(profile: Profile, word: str) -> None:
    pattern = compile_pattern(word)

    def lines(part: Profile) -> int:
        return sum(len(location.lines) for sample in part.samples for location in sample.locations)

    for location in profile.locations:
        location.mapping = None  # A matching mapping file shows and hides all lines of a location.
    hidden, shown = filter_by_name(profile, hide=pattern)[0], filter_by_name(profile, show=pattern)[0]
    assert lines(hidden) + lines(shown) == lines(profile)


@given(profiles(), words)
def test_pruning_from_a_frame_keeps_all_samples_and_sums(profile: Profile, word: str) -> None:
    pruned = apply_filters(profile, Filters(prune_from=word), _quiet)
    assert column_sums(pruned) == column_sums(profile)


@pytest.mark.parametrize(
    ("filters", "stacks"),
    [
        ({"focus": "c"}, ["a b c", "a c b"]),
        ({"focus": "b", "ignore": "c"}, ["a b"]),
        ({"ignore": "a"}, ["d+e"]),
        ({"hide": "b"}, ["a c", "a c", "a", "d+e"]),
        ({"hide": "e"}, ["a b c", "a c b", "a b", "d"]),
        ({"show": "b|e"}, ["b", "b", "b", "e"]),
        ({"hide": "^a", "show": "a"}, []),
        ({"show_from": "b"}, ["b c", "b", "b"]),
        ({"show_from": "e"}, ["e"]),
        ({"prune_from": "b"}, ["a b", "a c b", "a b", "d+e"]),
        ({"prune_from": "d"}, ["a b c", "a c b", "a b", "d"]),
        ({"focus": r"c\.py"}, ["a b c", "a c b"]),
    ],
)
def test_each_name_filter_keeps_what_the_original_does(filters: dict[str, str], stacks: list[str]) -> None:
    assert _filtered(_profile("a b c", "a c b", "a b", "d+e"), **filters) == stacks


def test_the_file_of_a_mapping_is_matched_too() -> None:
    profile = _profile("a b", "c")
    profile.mappings = [Mapping(1, filename="lib.so")]
    profile.locations[0].mapping = profile.mappings[0]  # b's
    assert _filtered(profile, focus=r"lib\.so") == ["a b"]
    assert _filtered(profile, hide=r"lib\.so") == ["a", "c"]
    assert _filtered(profile, show=r"lib\.so") == ["b"]
    assert _filtered(profile, show_from=r"lib\.so") == ["b"]


@pytest.mark.parametrize(
    ("drop", "keep", "stack"),
    [
        ("b", "", "a"),
        ("b", "b", "a b c b d"),
        ("c|d", "", "a b"),
        ("a", "", "a b c b d"),
        ("a|b", "", "a b c"),
        (".", "", "a b c b d"),
        ("x|b", "", "a"),
    ],
)
def test_dropped_frames_go_with_all_below_but_not_before_a_wanted_one(
    drop: str, keep: str, stack: str
) -> None:
    profile = _profile("a b c b d")
    profile.drop_frames, profile.keep_frames = drop, keep
    assert _stacks(drop_frames(profile)) == [stack]


def test_pruning_an_inlined_frame_keeps_the_lines_around_it() -> None:
    assert _stacks(prune(_profile("a b+c+d e"), compile_pattern("^c$"))) == ["a b"]


@pytest.mark.parametrize(
    ("name", "simple"),
    [
        (".f", "f"),
        ("f(int, char)", "f"),
        ("(anonymous namespace)::f(int)", "(anonymous namespace)::f"),
        ("T::operator()(int)", "T::operator()"),
        ("plain", "plain"),
    ],
)
def test_names_are_compared_without_their_arguments(name: str, simple: str) -> None:
    assert simple_name(name) == simple


def _tagged() -> Profile:
    profile = _profile("a", "b", "c", "d")
    first, second, third, _ = profile.samples
    first.labels, second.labels = {"task": ["io", "net"]}, {"task": ["cpu"], "lang": ["py"]}
    first.numeric_labels, first.numeric_units = {"bytes": [1024]}, {"bytes": ["bytes"]}
    second.numeric_labels = {"bytes": [1 << 21], "rows": [7]}
    third.numeric_labels = {"request": [100]}
    return profile


@pytest.mark.parametrize(
    ("filters", "stacks"),
    [
        ({"tagfocus": "io"}, ["a"]),
        ({"tagfocus": "task:cpu"}, ["b"]),
        ({"tagfocus": "cpu,py"}, ["b"]),
        ({"tagfocus": "cpu,io"}, []),
        ({"tagfocus": "task=cpu,io"}, ["a", "b"]),
        ({"tagfocus": "lang=cpu"}, []),
        ({"tagfocus": "1kb"}, ["a"]),
        ({"tagfocus": "1kb:2mb"}, ["a", "b"]),
        ({"tagfocus": "2kb:"}, ["b"]),
        ({"tagfocus": ":1kb"}, ["a", "c"]),
        ({"tagfocus": "rows=5:9"}, ["b"]),
        ({"tagfocus": "bytes=7"}, []),
        ({"tagignore": "1kb"}, ["b", "c", "d"]),
        ({"tagignore": "task=."}, ["c", "d"]),
    ],
)
def test_each_tag_filter_keeps_what_the_original_does(filters: dict[str, str], stacks: list[str]) -> None:
    assert _filtered(_tagged(), **filters) == stacks


def test_labels_are_shown_and_hidden_by_their_keys() -> None:
    def keys(**filters: str) -> set[str]:
        samples = apply_filters(_tagged(), Filters(**filters), _quiet).samples
        return {key for sample in samples for key in (*sample.labels, *sample.numeric_labels)}

    assert keys(tagshow="a") == {"task", "lang"}
    assert keys(taghide="a") == {"bytes", "rows", "request"}
    assert keys(tagshow="s", taghide="^r") == {"task", "bytes"}


def test_labels_become_frames_at_both_ends_of_a_stack() -> None:
    profile, unmatched = add_tag_frames(_tagged(), ["task", "bytes"], ["lang", "nosuch"], "kb")
    assert unmatched == []
    assert _stacks(profile)[:3] == ["io,net 1kB a  ", "cpu 2097152 b py ", "  c  "]
    profile.check_valid()
    assert {line.function.filename for line in profile.samples[0].locations[0].lines if line.function} == {
        "nosuch"
    }
    assert add_tag_frames(_tagged(), ["nosuch"], ["nosuch"], "")[1] == ["TagRoot", "TagLeaf"]


def test_a_number_has_the_first_unit_given_with_its_key() -> None:
    profile = _tagged()
    profile.samples[3].numeric_labels = {"bytes": [1]}
    profile.samples[3].numeric_units = {"bytes": ["kb"]}
    units, others = numeric_label_units(profile)
    assert units == {"bytes": "bytes", "rows": "rows", "request": "bytes"}
    assert others == {"bytes": ["kb"]}


def test_what_matches_nothing_or_is_a_range_is_said_in_the_original_words() -> None:
    lines: list[str] = []
    filters = Filters(
        focus="x",
        ignore="x",
        hide="x",
        show="x",
        show_from="x",
        tagfocus="5kb",
        tagignore="x",
        tagshow="x",
        taghide="x",
    )
    apply_filters(_profile("a b"), filters, lines.append)
    names = ["Focus", "Ignore", "Hide", "Show", "ShowFrom", "TagFocus", "TagIgnore", "TagShow", "TagHide"]
    expected = ["tagfocus:Interpreted '5kb' as range, not regexp"]
    expected += [f"{name} expression matched no samples" for name in names if name != "TagIgnore"]
    assert [line for line in lines if "TagIgnore" not in line] == expected


@pytest.mark.parametrize(
    "option", ["focus", "show_from", "tagfocus", "tagignore", "tagshow", "taghide", "prune_from"]
)
def test_a_bad_pattern_is_refused_with_the_name_of_its_option(option: str) -> None:
    with pytest.raises(PatternError) as caught:
        apply_filters(_profile("a"), Filters(**{option: "("}), _quiet)
    assert str(caught.value) == f"parsing {option} regexp: error parsing regexp: missing closing ): `(`"


def test_an_amount_beyond_64_bits_is_refused() -> None:
    with pytest.raises(
        PatternError, match="failed to parse int 9223372036854775808: it does not fit into 64 bits"
    ):
        apply_filters(_profile("a"), Filters(tagfocus="9223372036854775808kb"), _quiet)


def test_a_range_between_amounts_of_different_kinds_is_a_pattern() -> None:
    lines: list[str] = []
    apply_filters(_profile("a"), Filters(tagfocus="1kb:2s"), lines.append)
    assert lines == ["TagFocus expression matched no samples"]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("ns::f<int>(char const*)", "ns::f"),
        ("f(int)", "f(int)"),
        ("app.<lambda>", "app.<lambda>"),
        ("pkg.(*T[go.shape.int]).f", "pkg.(*T[go.shape.int]).f"),
        ("a::b(c", "a::b(c"),
        ("a::b)c(d)", "a::b)c(d)"),
    ],
)
def test_readable_cplusplus_names_are_shortened_and_others_kept(name: str, shown: str) -> None:
    profile = _profile(name.replace(" ", "~").replace("+", "~"))
    profile.functions[0].name = profile.functions[0].system_name = name
    assert _stacks(simplify_names(profile)) == [shown]
    profile.functions[0].system_name = ""
    assert _stacks(simplify_names(profile)) == [name]
