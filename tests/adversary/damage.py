"""Files cut short at every byte, and with any one bit flipped."""

import random
import warnings

import numpy as np

from dropkit.store import DamagedRecord, Store
from dropkit.store.records import lines
from tests.adversary import Outcome, record


def _read(folder):
    """The records of a store by their keys, and how often it warned."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DamagedRecord)
        found = {each["key"]: each for each in Store(folder)}
    return found, len(caught)


def truncations(full, folder):
    """Cut a file of records at every byte of its last lines: one record may go, with a warning."""
    records = [record(number) for number in range(12 if full else 3)]
    honest = {each["key"]: each for each in records}
    whole = lines(records)
    ends = [0] + [at + 1 for at, byte in enumerate(whole) if byte == ord("\n")]
    start = 0 if full else ends[-3]
    harm = []
    for length in range(start, len(whole)):
        (folder / "a.jsonl").write_bytes(whole[:length])
        found, warned = _read(folder)
        complete = sum(end <= length + 1 for end in ends[1:])  # the line break alone may lack
        torn = length not in ends and length + 1 not in ends
        if found != dict(list(honest.items())[:complete]) or warned != torn:
            harm.append(f"cut at {length}: {len(found)} records, {warned} warnings")
    return Outcome(len(whole) - start, harm)


def flips(full, folder):
    """Flip bits of a file of records: it is seen, costs one record at most, a line break none."""
    records = [record(number) for number in range(6)]
    honest = {each["key"]: each for each in records}
    whole = lines(records)
    breaks = [at for at, byte in enumerate(whole) if byte == ord("\n")]
    everywhere = [(at, bit) for at in range(len(whole)) for bit in range(8)]
    few = random.Random(0).sample(everywhere, 400)
    tried = everywhere if full else few + [(at, bit) for at in breaks for bit in range(8)]
    harm = []
    for at, bit in tried:
        damaged = bytearray(whole)
        damaged[at] ^= 1 << bit
        (folder / "a.jsonl").write_bytes(damaged)
        found, warned = _read(folder)
        least = len(honest) - (at not in breaks)
        if not (found.items() <= honest.items() and len(found) >= least and warned):
            harm.append(f"bit {bit} of byte {at}: {len(found)} records, {warned} warnings")
    return Outcome(len(tried), harm)


def arrays(full, folder):
    """Flip bits of a file of arrays, and cut it: none is taken for what was written."""
    store = Store(folder)
    store.save_arrays("q", {"probs": np.linspace(0, 1, 60), "correct": np.zeros(9, bool)})
    file = folder / "queries" / "q.npz"
    whole = file.read_bytes()
    everywhere = [(at, bit) for at in range(len(whole)) for bit in range(8)]
    chosen = everywhere if full else random.Random(0).sample(everywhere, 400)
    cuts = range(len(whole)) if full else range(0, len(whole), 9)
    harm = []
    for at, bit in [*chosen, *((length, None) for length in cuts)]:
        damaged = bytearray(whole)
        if bit is None:
            del damaged[at:]
        else:
            damaged[at] ^= 1 << bit
        file.write_bytes(damaged)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", DamagedRecord)
            found = store.load_arrays("q")
        if found is not None or len(caught) != 1:
            harm.append(f"byte {at}, bit {bit}: {found}, {len(caught)} warnings")
    return Outcome(len(chosen) + len(cuts), harm)
