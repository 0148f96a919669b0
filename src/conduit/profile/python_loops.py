"""The loops over a profile's columns in Python, for where the C extension is not loaded; see `conduit.profile.loops`.

Numbers in Python have no limits, so the sums here are exact where those in C would not fit into 64 bits.
"""

from __future__ import annotations

from array import array
from collections import deque
from itertools import accumulate, chain, pairwise, repeat
from typing import TYPE_CHECKING, Any

from conduit.profile.wire import to_signed, write_delimited, write_number, write_numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from _typeshed import ReadableBuffer as Buffer

    Stacks = tuple[Buffer, Buffer]

_FROM_ROOT, _FROM_LEAF, _TO_HARNESS = 0, 1, 3


def scan_profile(
    data: bytes, limit: int
) -> tuple[tuple[list[tuple[int, int]], ...], list[str], list[tuple[int, int, int]], bytes] | None:
    """Leave the document to the decoder."""
    return None


def read_columns(
    data: bytes,
    spans: Buffer,
    index_of: Buffer,
    types: int,
    strings: int,
    max_frames: int,
    max_labels: int,
) -> tuple[bytes, bytes, tuple[bytes, ...], bytes, bytes, bytes] | None:
    """Leave the samples to the decoder."""
    return None


def read_messages(
    data: bytes, spans: list[tuple[int, int]], fields: int, signed: int
) -> list[tuple[int, ...]] | None:
    """Leave the messages to the decoder."""
    return None


def read_locations(
    data: bytes, spans: list[tuple[int, int]], lines: int
) -> list[tuple[int, int, int, bool, list[tuple[int, int, int]]]] | None:
    """Leave the locations to the decoder."""
    return None


def _typed(buffer: Buffer, kind: str) -> list[int]:
    return memoryview(buffer).cast("B").cast(kind).tolist()  # type: ignore[call-overload,no-any-return]


def _stacks(bounds: Buffer, frames: Buffer) -> Iterator[list[int]]:
    indices = memoryview(frames).cast("B").cast("I")
    for start, stop in _places(bounds, len(indices)):
        yield indices[start:stop].tolist()


def _places(bounds: Buffer, size: int) -> list[tuple[int, int]]:
    """Where each stack starts and stops in so many frames."""
    positions = _typed(bounds, "q")
    count = len(positions) // 2
    places = list(zip(positions[:count], positions[count : 2 * count], strict=True))
    if len(positions) % 2 or any(not 0 <= start <= stop <= size for start, stop in places):
        raise ValueError("the positions of the stacks do not lie within their frames")
    return places


def _rows(runs: Buffer, numbers: Buffer) -> list[tuple[int, ...]]:
    """Return the numbers of each location."""
    positions, row = _typed(runs, "i"), _typed(numbers, "i")
    return [tuple(row[start:stop]) for start, stop in pairwise(positions)]


class _StackWriter:
    """Stacks being put one behind the other. Stacks that lie at one place when read become one stack."""

    def __init__(self, bounds: Buffer, frames: Buffer) -> None:
        size = memoryview(frames).nbytes // 4
        self.read = _places(bounds, size)
        self.shares = sum(stop - start for start, stop in self.read) > size
        self.starts, self.stops, self.frames = array("q"), array("q"), array("I")
        self._written: dict[tuple[int, int], tuple[int, int]] = {}

    def knows(self, place: tuple[int, int]) -> bool:
        """Put the stack that was made of the one at this place, if there is one."""
        if not self.shares or place not in self._written:
            return False
        self._put(*self._written[place])
        return True

    def add(self, stack: Sequence[int], place: tuple[int, int]) -> None:
        start = len(self.frames)
        self.frames.extend(stack)
        self._written[place] = start, len(self.frames)
        self._put(start, len(self.frames))

    def _put(self, start: int, stop: int) -> None:
        self.starts.append(start)
        self.stops.append(stop)

    def result(self) -> Stacks:
        return self.starts + self.stops, self.frames


def _restacked(
    bounds: Buffer, frames: Buffer, change: Callable[[list[int]], Sequence[int]], mask: Buffer | None = None
) -> Stacks:
    """Return the stacks in the mask (None: all), changed."""
    writer = _StackWriter(bounds, frames)
    indices = memoryview(frames).cast("B").cast("I")
    keep = repeat(1, len(writer.read)) if mask is None else memoryview(mask).cast("B")
    for kept, place in zip(keep, writer.read, strict=True):
        if kept and not writer.knows(place):
            writer.add(change(indices[place[0] : place[1]].tolist()), place)
    return writer.result()


def list_stacks(bounds: Buffer, frames: Buffer, table: list[Any]) -> list[list[Any]]:
    """Return every stack as a list of the members of `table`."""
    find = table.__getitem__
    return [list(map(find, stack)) for stack in _stacks(bounds, frames)]


def match_stacks(bounds: Buffer, frames: Buffer, any: Buffer, none: Buffer) -> bytes:
    """Say of each stack whether a frame is flagged in `any`, and no frame in `none`."""
    wanted = {number for number, flag in enumerate(memoryview(any).cast("B")) if flag}
    unwanted = {number for number, flag in enumerate(memoryview(none).cast("B")) if flag}
    known = min(memoryview(any).nbytes, memoryview(none).nbytes)
    if max(memoryview(frames).cast("B").cast("I"), default=-1) >= known:
        raise IndexError("a location's index is beyond the flags")
    return bytes(
        not wanted.isdisjoint(stack) and unwanted.isdisjoint(stack) for stack in _stacks(bounds, frames)
    )


def select_stacks(bounds: Buffer, frames: Buffer, mask: Buffer, new_of: Buffer) -> Stacks:
    """Return the stacks in the mask, frames replaced by `new_of[frame]`, those with -1 left out."""
    new = _typed(new_of, "i")
    if max(memoryview(frames).cast("B").cast("I"), default=-1) >= len(new):
        raise IndexError("a location's index is beyond the map")
    drops = min(new, default=0) < 0
    find = new.__getitem__

    def mapped(stack: list[int]) -> list[int]:
        return [frame for frame in map(find, stack) if frame >= 0] if drops else list(map(find, stack))

    return _restacked(bounds, frames, mapped, mask)


def cut_stacks(bounds: Buffer, frames: Buffer, flags: Buffer, how: int) -> Stacks:
    """Return all stacks cut at a frame with a flag."""
    flag = memoryview(flags).cast("B").tolist()

    def cut(stack: list[int]) -> list[int]:
        if how == _FROM_ROOT:
            return stack[: _last(stack, flag) + 1]
        if how == _FROM_LEAF:
            return stack[next((i for i, frame in enumerate(stack) if flag[frame]), 0) :]
        if how == _TO_HARNESS:
            return stack[: _harness(stack, flag)]
        return stack[_below_wanted(stack, flag) :]

    return _restacked(bounds, frames, cut)


def _last(stack: list[int], flag: list[int]) -> int:
    return next((i for i in range(len(stack) - 1, -1, -1) if flag[stack[i]]), -1)


def _harness(stack: list[int], flag: list[int]) -> int:
    end = next((i for i, frame in enumerate(stack) if flag[frame] == 1), len(stack))
    program = end
    while program and flag[stack[program - 1]] == 2:
        program -= 1
    return program or end


def _below_wanted(stack: list[int], flag: list[int]) -> int:
    seen_wanted = False
    for index in range(len(stack) - 1, -1, -1):
        found = flag[stack[index]]
        if not found:
            seen_wanted = True
        elif seen_wanted:
            return index if found == 1 else index + 1
    return 0


def wrap_stacks(
    bounds: Buffer,
    frames: Buffer,
    label_of: Buffer,
    leaf_runs: Buffer,
    leaves: Buffer,
    root_runs: Buffer,
    roots: Buffer,
) -> Stacks:
    """Put the frames of its set of labels before and behind each stack."""
    before, behind = _rows(leaf_runs, leaves), _rows(root_runs, roots)
    positions, wrapped = array("q", [0]), array("I")
    for stack, number in zip(_stacks(bounds, frames), _typed(label_of, "I"), strict=True):
        wrapped.extend([*before[number], *stack, *behind[number]])
        positions.append(len(wrapped))
    return positions[:-1] + positions[1:], wrapped


def first_uses(bounds: Buffer, frames: Buffer, locations: int, from_root: bool) -> bytes:
    """Return the locations that occur, in order of first use."""
    stacks = _stacks(bounds, frames)
    uses = chain.from_iterable(stack[::-1] for stack in stacks) if from_root else chain.from_iterable(stacks)
    order = array("I", dict.fromkeys(uses))
    if max(order, default=-1) >= locations:
        raise IndexError("a location's index is beyond the table")
    return order.tobytes()


def group_stacks(bounds: Buffer, frames: Buffer, label_of: Buffer) -> tuple[bytes, bytes]:
    """Number the groups of equal stacks with equal labels; return each stack's, and each group's first stack."""
    groups: dict[tuple[int, bytes], int] = {}
    group_of, firsts = array("I"), array("I")
    packed, labels = memoryview(frames).cast("B"), _typed(label_of, "I")
    for number, (start, stop) in enumerate(_places(bounds, len(packed) // 4)):
        group = groups.setdefault((labels[number], packed[4 * start : 4 * stop].tobytes()), len(groups))
        if group == len(firsts):
            firsts.append(number)
        group_of.append(group)
    return group_of.tobytes(), firsts.tobytes()


def sum_groups(values: Buffer, group_of: Buffer, groups: int) -> bytes:
    """Return the sums by group, cut to 64 bits."""
    sums = [0] * groups
    for value, group in zip(_typed(values, "q"), _typed(group_of, "I"), strict=True):
        if group >= groups:
            raise IndexError("a group's number is beyond the last group")
        sums[group] += value
    return array("Q", [total & 0xFFFF_FFFF_FFFF_FFFF for total in sums]).tobytes()


def write_columns(
    bounds: Buffer,
    frames: Buffer,
    ids: Buffer,
    columns: tuple[Buffer, ...],
    label_of: Buffer,
    label_fields: list[bytes],
) -> bytes:
    """Write the samples as fields of a document."""
    id_of = _typed(ids, "Q").__getitem__
    labels = _typed(label_of, "I")
    rows = (
        zip(*(_typed(column, "q") for column in columns), strict=True) if columns else repeat((), len(labels))
    )
    parts = []
    for stack, row, number in zip(_stacks(bounds, frames), rows, labels, strict=True):
        content = write_numbers(1, map(id_of, stack)) + write_numbers(2, row) + label_fields[number]
        parts.append(write_delimited(2, content))
    return b"".join(parts)


def write_messages(field: int, records: list[Any], names: tuple[str, ...], strings: dict[str, int]) -> bytes:
    """Write records as messages of their attributes, and their unknown fields."""
    parts = []
    for record in records:
        numbers = []
        for name in names:
            value = getattr(record, name)
            numbers.append(strings.setdefault(value, len(strings)) if isinstance(value, str) else value)
        parts.append(write_delimited(field, _record(numbers) + record.unknown))
    return b"".join(parts)


def _record(numbers: Iterable[int]) -> bytes:
    """Write numbers as the fields 1, 2, 3, … of a message."""
    return b"".join([write_number(field, value) for field, value in enumerate(numbers, 1)])


def write_locations(locations: list[Any]) -> bytes:
    """Write locations as fields of a document."""
    parts = []
    for location in locations:
        mapping = location.mapping
        content = _record((location.id, 0 if mapping is None else mapping.id, location.address))
        for line in location.lines:
            function = 0 if line.function is None else line.function.id
            content += write_delimited(4, _record((function, line.line, line.column)) + line.unknown)
        parts.append(write_delimited(4, content + write_number(5, location.is_folded) + location.unknown))
    return b"".join(parts)


def write_strings(strings: dict[str, int]) -> bytes:
    """Write a table of strings as fields of a document."""
    return b"".join([write_delimited(6, _text_bytes(text)) for text in strings])


def _text_bytes(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # A name made of half a character must not cost the whole profile.
        return text.encode("utf-8", "replace")


def _label_rows(
    runs: Buffer, rows: Buffer, label_of: Buffer
) -> Iterator[tuple[int, list[tuple[int, int, int, int]]]]:
    """The number and the labels of each set that samples have, in order of first use."""
    positions, numbers = _typed(runs, "q"), _typed(rows, "Q")
    labels = list(zip(*[iter(numbers)] * 4, strict=True))
    wrong = not positions or positions[0] or positions[-1] != len(labels)
    if wrong or any(map(int.__gt__, positions, positions[1:])):
        raise ValueError("the positions of the labels do not lie within their rows")
    for number in dict.fromkeys(_typed(label_of, "I")):
        yield number, labels[positions[number] : positions[number + 1]]


def number_labels(runs: Buffer, rows: Buffer, label_of: Buffer) -> bytes:
    """Return key and unit of the rows that are numbers."""
    pairs = dict.fromkeys(
        (key, unit)
        for _, labels in _label_rows(runs, rows, label_of)
        for key, text, _, unit in labels
        if not text
    )
    return array("Q", chain.from_iterable(pairs)).tobytes()


def write_labels(
    runs: Buffer, rows: Buffer, texts: list[str], label_of: Buffer, strings: dict[str, int]
) -> list[bytes]:
    """Write the labels of each set that a sample has."""
    fields = [b""] * (len(_typed(runs, "q")) - 1)

    def index(number: int) -> int:
        return strings.setdefault(texts[number], len(strings))

    for number, labels in _label_rows(runs, rows, label_of):
        parts = []
        for key, text, value, unit in sorted(labels, key=lambda label: (not label[1], texts[label[0]])):
            if text and texts[text]:
                parts.append(_record((index(key), index(text))))
            elif not text and (value or texts[unit]):
                parts.append(_record((index(key), 0, value, index(unit))))
        fields[number] = b"".join([write_delimited(3, part) for part in parts])
    return fields


def join_labels(
    runs: Buffer,
    rows: Buffer,
    strings: list[str],
    marks: tuple[bytes, bytes, bytes, bytes, bytes],
    head_of: Callable[[str], bytes],
    number_text: Callable[[str, int, str | None], bytes],
) -> list[bytes]:
    """Return each set of labels as text."""
    start, before, between, close, after = marks
    joined = []
    for _, labels in _label_rows(runs, rows, array("I", range(len(_typed(runs, "q")) - 1))):
        texts: dict[str, list[bytes]] = {}
        numbers: dict[str, list[tuple[int, int]]] = {}
        for key, text, number, unit in labels:
            if text:
                texts.setdefault(strings[key], []).append(_text_bytes(strings[text]))
            else:
                numbers.setdefault(strings[key], []).append((to_signed(number), unit))
        amounts: dict[str, list[bytes]] = {}
        for name, values in numbers.items():
            has_units = any(unit for _, unit in values)
            amounts[name] = [number_text(name, n, strings[unit] if has_units else None) for n, unit in values]
        joined.append(start)
        for groups in (texts, amounts):
            if groups:
                parts = sorted(head_of(name) + b" ".join(values) + close for name, values in groups.items())
                joined[-1] += before + between.join(parts) + after
    return joined


def _weighted(
    bounds: Buffer, frames: Buffer, values: Buffer, others: Buffer
) -> Iterator[tuple[int, list[int], int]]:
    """The number, stack and value of each sample that weighs anything."""
    rows = zip(_stacks(bounds, frames), _typed(values, "q"), _typed(others, "q"), strict=True)
    for number, (stack, value, other) in enumerate(rows):
        if value or other:
            yield number, stack, value


def sum_stacks(
    bounds: Buffer,
    frames: Buffer,
    values: Buffer,
    others: Buffer,
    runs: Buffer,
    numbers: Buffer,
    count: int,
) -> tuple[list[int], list[int]]:
    """Return flat and cum by frame number."""
    rows = _rows(runs, numbers)
    flat, cum = [0] * count, [0] * count
    single = all(len(row) == 1 for row in rows)
    frame_of = [row[0] for row in rows].__getitem__ if single else None
    rows_of = rows.__getitem__
    for _, stack, value in _weighted(bounds, frames, values, others):
        path = list(map(frame_of, stack)) if frame_of else list(chain.from_iterable(map(rows_of, stack)))
        for number in set(path):
            cum[number] += value
        if path:
            flat[path[0]] += value
    return flat, cum


def sum_calls(
    bounds: Buffer,
    frames: Buffer,
    values: Buffer,
    others: Buffer,
    runs: Buffer,
    numbers: Buffer,
    count: int,
) -> tuple[list[int], list[int], Sequence[int], Sequence[int], Sequence[int]]:
    """Return flat and cum by frame number, and the calls."""
    rows = _rows(runs, numbers)
    flat, cum = [0] * count, [0] * count
    weights: dict[int, int] = {}
    flags: dict[int, int] = {}
    for _, stack, value in _weighted(bounds, frames, values, others):
        seen: dict[int, int] = {}  # calls of this stack
        walk = _Walk()
        for frame, inlined in walk.steps(stack, rows):
            if walk.parent not in (-1, frame):
                call = walk.parent * count + frame
                if call not in seen:
                    seen[call] = (not inlined) | (walk.residual << 1)
        for frame in walk.seen:
            cum[frame] += value
        for call, flag in seen.items():
            weights[call] = weights.get(call, 0) + value
            flags[call] = flags.get(call, 0) | flag
        if walk.leaf >= 0:
            flat[walk.leaf] += value
    return flat, cum, list(weights), list(weights.values()), list(flags.values())


class _Walk:
    """The state of a walk from the root of a stack over the frames that are kept."""

    __slots__ = ("leaf", "parent", "residual", "seen")

    def __init__(self) -> None:
        self.parent = self.leaf = -1
        self.residual = False  # a frame was left out since the parent
        self.seen: dict[int, None] = {}

    def steps(self, stack: list[int], rows: list[tuple[int, ...]]) -> Iterator[tuple[int, int]]:
        """Each kept frame and whether it is inlined; `parent` and `residual` are those before it."""
        for location in reversed(stack):
            for step in rows[location]:
                if step < 0:
                    self.residual = True
                    continue
                frame = step >> 1
                self.seen[frame] = None
                yield frame, step & 1
                self.parent, self.residual = frame, False
        self.leaf = -1 if self.residual else self.parent


def sum_labels(
    bounds: Buffer,
    frames: Buffer,
    values: Buffer,
    others: Buffer,
    runs: Buffer,
    numbers: Buffer,
    count: int,
    label_of: Buffer,
    sets: int,
) -> tuple[Sequence[int], Sequence[int], Sequence[int]]:
    """Return the sums of each frame's samples by their set of labels."""
    rows, labels = _rows(runs, numbers), _typed(label_of, "I")
    flat: dict[int, int] = {}
    cum: dict[int, int] = {}
    for number, stack, value in _weighted(bounds, frames, values, others):
        walk = _Walk()
        deque(walk.steps(stack, rows), 0)
        for frame in walk.seen:
            key = frame * sets + labels[number]
            cum[key] = cum.get(key, 0) + value
            flat[key] = flat.get(key, 0) + (value if frame == walk.leaf else 0)
    return list(cum), list(flat.values()), list(cum.values())


def sort_calls(
    keys: Sequence[int], weights: Sequence[int], ranks: Sequence[int]
) -> tuple[tuple[Sequence[int], Sequence[int]], tuple[Sequence[int], Sequence[int]]]:
    """Return the calls of each caller and of each callee, heaviest first."""
    frames = len(ranks)
    callers, callees = [key // frames for key in keys], [key % frames for key in keys]
    return _sorted_by(callers, callees, weights, ranks), _sorted_by(callees, callers, weights, ranks)


def _sorted_by(
    own: list[int], others: list[int], weights: Sequence[int], ranks: Sequence[int]
) -> tuple[list[int], list[int]]:
    order = sorted(range(len(own)), key=lambda call: (own[call], -abs(weights[call]), ranks[others[call]]))
    counts = [0] * (len(ranks) + 1)
    for frame in own:
        counts[frame + 1] += 1
    return list(accumulate(counts)), order


def join_texts(
    bounds: Buffer,
    frames: Buffer,
    first: list[bytes],
    rest: list[bytes],
    before: list[bytes],
    after: list[bytes],
) -> bytes:
    """Join the texts of all stacks."""
    parts: list[bytes] = []
    for stack, begin, end in zip(_stacks(bounds, frames), before, after, strict=True):
        parts.append(begin)
        if stack:
            parts.append(first[stack[0]])
            parts.extend(map(rest.__getitem__, stack[1:]))
        parts.append(end)
    return b"".join(parts)


def join_stacks(
    bounds: Buffer, frames: Buffer, values: Buffer, runs: Buffer, numbers: Buffer, cutoff: int
) -> tuple[
    Sequence[int],
    Sequence[int],
    Sequence[int],
    Sequence[int],
    tuple[Sequence[int], Sequence[int], Sequence[int]],
]:
    """Join stacks to a tree, level by level."""
    rows_of = _rows(runs, numbers).__getitem__
    paths = [list(chain.from_iterable(map(rows_of, reversed(stack)))) for stack in _stacks(bounds, frames)]
    tree = _Tree(paths, _typed(values, "q"), cutoff)
    hidden = (
        list(tree.hidden),
        [n for n, _ in tree.hidden.values()],
        [size for _, size in tree.hidden.values()],
    )
    return tree.parents, tree.numbers, tree.positive, tree.negative, hidden


class _Tree:
    def __init__(self, paths: list[list[int]], values: list[int], cutoff: int) -> None:
        self.parents, self.numbers, self.positive, self.negative = [0], [0], [0], [0]
        self.hidden: dict[int, tuple[int, int]] = {}
        self._paths, self._values, self._cutoff = paths, values, cutoff
        waiting: deque[tuple[int, int, Sequence[int]]] = deque([(0, 0, range(len(paths)))])
        while waiting:
            node, depth, members = waiting.popleft()
            for number, group in self._groups(node, depth, members).items():
                if not self._is_left_out(node, group):
                    waiting.append((len(self.parents), depth + 1, group))
                    self._add(node, number)

    def _groups(self, node: int, depth: int, members: Sequence[int]) -> dict[int, list[int]]:
        groups: dict[int, list[int]] = {}
        for member in members:
            path = self._paths[member]
            if depth < len(path):
                groups.setdefault(path[depth], []).append(member)
            else:
                self._end(node, self._values[member])
        return groups

    def _is_left_out(self, node: int, group: list[int]) -> bool:
        size = sum([abs(self._values[member]) for member in group]) if self._cutoff else 0
        if size >= self._cutoff:
            return False
        boxes, all_sizes = self.hidden.get(node, (0, 0))
        self.hidden[node] = boxes + 1, all_sizes + size
        for member in group:
            self._end(node, self._values[member])
        return True

    def _add(self, parent: int, number: int) -> None:
        self.parents.append(parent)
        self.numbers.append(number)
        self.positive.append(0)
        self.negative.append(0)

    def _end(self, node: int, value: int) -> None:
        if value >= 0:
            self.positive[node] += value
        else:
            self.negative[node] -= value
