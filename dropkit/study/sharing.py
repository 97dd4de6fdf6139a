"""How several runs on one store share what there is to do."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from dropkit.store.locks import Locks

Part = TypeVar("Part")


def own(
    groups: Iterable[Sequence[Part]],
    locks: Locks | None,
    name: Callable[[Part], str],
    lacking: Callable[[list[Part]], list[Part]],
) -> Iterator[Sequence[Part]]:
    """Yield of each group, when it is asked for, what no other process does or has done.

    Parameters
    ----------
    groups : iterable of sequences
        In the order in which they are to be done.
    locks : Locks or None
        Have the names of what is yielded; None where nothing is shared.
    name : callable
        Of a part.
    lacking : callable
        Those of some parts that the store lacks now: asked when this process has their names.
    """
    if locks is None:
        yield from groups
        return
    for group in groups:
        taken = [part for part in group if locks.take(name(part))]
        todo = lacking(taken)
        names = set(map(name, todo))
        locks.give_back(name(part) for part in taken if name(part) not in names)
        if todo:
            yield todo
