"""The store under what happens to files: kills, full disks, other writers."""

import contextlib
import difflib
import hashlib
import io
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st

from dropkit.store import DamagedRecord, Store, StoreError, default_path, records as forms
from tests.stores import filled, names_in, only_file, record

ROOT = Path(__file__).parents[2]


@contextlib.contextmanager
def full_disk(size):
    """No file can grow beyond this many bytes."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


class TestRoundTrip:
    @given(values=st.lists(json_values, max_size=4))
    def test_as_written(self, tmp_path_factory, values):
        folder = tmp_path_factory.mktemp("store")
        store = Store(folder)
        records = [{"key": str(i), "value": value} for i, value in enumerate(values)]
        store.add(*records)
        store.close()
        for found in (store, Store(folder)):
            assert list(found) == records
            assert len(found) == len(records)

    def test_the_same_now_and_after_reading(self, tmp_path):
        # JSON has no tuples: a record must not change its look when it is read from disk.
        store = Store(tmp_path)
        store.add({"key": "a", "drops": (0.5, 0.75)})
        assert store["a"] == Store(tmp_path)["a"] == {"key": "a", "drops": [0.5, 0.75]}

    def test_a_known_key_is_left_alone(self, tmp_path):
        store = filled(tmp_path)
        store.add({"key": "a", "other": 1})
        assert store["a"] == Store(tmp_path)["a"] == record("a")
        assert len(list(tmp_path.glob("*.jsonl"))) == 1  # nothing to write, no file

    def test_lookup(self, tmp_path):
        store = filled(tmp_path)
        assert "a" in store and "z" not in store
        with pytest.raises(KeyError):
            store["z"]

    def test_reload_sees_other_writers(self, tmp_path):
        store = Store(tmp_path)
        filled(tmp_path)
        assert len(store) == 0
        store.reload()
        assert len(store) == 3

    def test_nothing_is_made_before_the_first_write(self, tmp_path):
        assert len(Store(tmp_path / "later")) == 0
        assert not (tmp_path / "later").exists()

    def test_a_forked_writer_has_a_file_of_its_own(self, tmp_path, monkeypatch):
        store = Store(tmp_path)
        store.add(record("a"))
        monkeypatch.setattr(os, "getpid", lambda: 10**7)
        store.add(record("b"))
        assert len(list(tmp_path.glob("*.jsonl"))) == 2
        assert names_in(tmp_path) == ["a", "b"]

    def test_default_path(self, monkeypatch, tmp_path):
        monkeypatch.setenv("DROPKIT_STORE", str(tmp_path / "chosen"))
        assert default_path() == Store().path == tmp_path / "chosen"
        monkeypatch.delenv("DROPKIT_STORE")
        monkeypatch.setenv("HOME", str(tmp_path))
        assert default_path() == tmp_path / ".cache" / "dropkit"

    def test_home_in_a_path(self, monkeypatch, tmp_path):
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("USERPROFILE", str(tmp_path))
        monkeypatch.setenv("DROPKIT_STORE", "~/chosen")
        assert default_path() == Store("~/chosen").path == tmp_path / "chosen"


def write_many(folder, writer, count):
    store = Store(folder)
    for i in range(count):
        store.add(record(f"{writer}-{i}"), record(f"{writer}-{i}-more"))


class TestSeveralWriters:
    def test_two_processes_at_once(self, tmp_path):
        context = multiprocessing.get_context("spawn")
        writers = [
            context.Process(target=write_many, args=(tmp_path, name, 60)) for name in ("x", "y")
        ]
        for process in writers:
            process.start()
        for process in writers:
            process.join()
            assert process.exitcode == 0
        expected = [f"{w}-{i}{end}" for w in "xy" for i in range(60) for end in ("", "-more")]
        assert names_in(tmp_path) == sorted(expected)

    def test_two_stores_of_one_process(self, tmp_path):
        first, second = Store(tmp_path), Store(tmp_path)
        for i in range(5):
            first.add(record(f"a{i}"))
            second.add(record(f"b{i}"))
        assert len(Store(tmp_path)) == 10

    def test_killed_writer_loses_the_record_in_flight_at_most(self, tmp_path):
        script = (
            "import sys\n"
            "from dropkit.store import Store\n"
            "store, i = Store(sys.argv[1]), 0\n"
            "while True:\n"
            "    store.add({'key': str(i), 'recalls': [0.5] * 500})\n"
            "    print(i, flush=True)\n"
            "    i += 1\n"
        )
        with subprocess.Popen(
            [sys.executable, "-c", script, tmp_path], cwd=ROOT, stdout=subprocess.PIPE, text=True
        ) as writer:
            while writer.stdout.readline().strip() != "20":
                assert writer.poll() is None
            writer.send_signal(signal.SIGKILL)
            last = [20, *map(int, writer.stdout.read().split())][-1]
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = Store(tmp_path)
        assert {str(i) for i in range(last + 1)} <= {r["key"] for r in found}
        assert len(found) <= last + 2
        assert len(caught) <= 1


class TestUnwritable:
    def test_folder_below_a_file(self, tmp_path):
        (tmp_path / "file").write_text("")
        folder = tmp_path / "file" / "store"
        store = Store(folder)
        with pytest.raises(StoreError, match=f"cannot write to the store {folder}: .+"):
            store.add(record("a"))
        assert store["a"] == record("a")
        store.reload()
        assert store["a"] == record("a")
        with pytest.raises(StoreError, match="cannot write to the store"):
            store.open()
        with pytest.raises(StoreError, match=f"cannot write {folder}/queries/q.npz: .+"):
            store.save_arrays("q", {"x": np.zeros(2)})
        with pytest.raises(StoreError, match="cannot write"):
            store.export(folder / "all.jsonl")

    def test_what_could_not_be_written_is_written_later(self, tmp_path):
        (tmp_path / "file").write_text("")
        store = Store(tmp_path / "file" / "store")
        with pytest.raises(StoreError):
            store.add(record("a"))
        (tmp_path / "file").unlink()
        store.add(record("b"))
        assert names_in(store.path) == ["a", "b"]

    def test_a_file_is_no_store(self, tmp_path):
        file = tmp_path / "records.jsonl"
        file.write_text("")
        with pytest.raises(StoreError, match=f"the store {file} is a file; a store is a folder"):
            Store(file)

    def test_folder_that_cannot_be_read(self, tmp_path):
        folder = tmp_path / "closed"
        filled(folder)
        folder.chmod(0)
        try:
            with as_anybody(), pytest.raises(StoreError, match=f"cannot read the store {folder}"):
                Store(folder)
        finally:
            folder.chmod(0o700)

    def test_file_that_cannot_be_read(self, tmp_path, monkeypatch):
        filled(tmp_path)

        def failing(file):
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(Path, "read_bytes", failing)
        with pytest.raises(StoreError, match=f"cannot read {only_file(tmp_path)}: .*Input/output"):
            Store(tmp_path)

    def test_full_disk(self, tmp_path):
        filled(tmp_path, "ab")
        store = Store(tmp_path)
        with (
            full_disk(200),
            pytest.raises(StoreError, match=f"cannot write to the store {tmp_path}: "),
        ):
            store.add(record("c", size=200))
        assert store["c"] == record("c", size=200)
        with pytest.warns(DamagedRecord, match="line 1 of "):
            assert names_in(tmp_path) == ["a", "b"]
        store.add(record("d"))
        store.close()
        with pytest.warns(DamagedRecord):
            assert names_in(tmp_path) == ["a", "b", "c", "d"]

    def test_full_disk_keeps_the_old_file(self, tmp_path):
        store = Store(tmp_path)
        store.save_arrays("q", {"x": np.zeros(2)})
        with full_disk(1000), pytest.raises(StoreError, match="q.npz"):
            store.save_arrays("q", {"x": np.ones(1000)})
        np.testing.assert_array_equal(store.load_arrays("q")["x"], np.zeros(2))
        assert [file.name for file in (tmp_path / "queries").iterdir()] == ["q.npz"]


@contextlib.contextmanager
def as_anybody():
    """Without the superuser's rights, to whom no folder is closed."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


class TestExport:
    def test_sorted_and_readable(self, tmp_path):
        store = filled(tmp_path / "own", "cab")
        store.export(tmp_path / "published" / "all.jsonl")
        published = Store(tmp_path / "published")
        assert [r["key"] for r in published] == ["a", "b", "c"]
        assert {r["key"]: r for r in published} == {r["key"]: r for r in store}

    def test_the_order_of_writing_does_not_matter(self, tmp_path):
        texts = []
        for names in ("cab", "abc"):
            filled(tmp_path / names, names).export(tmp_path / f"{names}.jsonl")
            texts.append((tmp_path / f"{names}.jsonl").read_bytes())
        assert texts[0] == texts[1]

    def test_one_record_more_is_one_line_more(self, tmp_path):
        store, file = filled(tmp_path, "acd"), tmp_path / "all.out"
        store.export(file)
        before = file.read_text().splitlines()
        store.add(record("b"))
        store.export(file)
        changes = [
            line[0]
            for line in difflib.ndiff(before, file.read_text().splitlines())
            if line[0] in "+-"
        ]
        assert changes == ["+"]

    def test_chosen_keys(self, tmp_path):
        filled(tmp_path / "own").export(tmp_path / "some" / "x.jsonl", keys=["c", "a"])
        assert [r["key"] for r in Store(tmp_path / "some")] == ["a", "c"]


class TestAlso:
    def test_read_only(self, tmp_path):
        filled(tmp_path / "published", "ab")
        before = {p: p.read_bytes() for p in (tmp_path / "published").iterdir()}
        store = Store(tmp_path / "own", also=[tmp_path / "published", tmp_path / "absent"])
        assert "a" in store
        store.add(record("a"), record("c"))
        store.save_arrays("q", {"x": np.zeros(1)})
        assert names_in(tmp_path / "own") == ["c"]
        assert {p: p.read_bytes() for p in (tmp_path / "published").iterdir()} == before
        assert not (tmp_path / "absent").exists()

    def test_own_records_come_first(self, tmp_path):
        filled(tmp_path / "published", "ab")
        Store(tmp_path / "own").add({"key": "a", "own": True})
        store = Store(tmp_path / "own", also=[tmp_path / "published"])
        assert store["a"] == {"key": "a", "own": True}
        assert len(store) == 2


class Payload:
    """What a harmful pickle looks like: loading it opens a file for writing."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return open, (str(self.mark), "w")


def zipped(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


class TestArrays:
    def test_round_trip(self, tmp_path):
        arrays = {"probs": np.linspace(0, 1, 12, dtype=np.float32).reshape(1, 4, 3), "n": np.eye(2)}
        Store(tmp_path).save_arrays("q", arrays)
        found = Store(tmp_path).load_arrays("q")
        assert found.keys() == arrays.keys()
        for name, array in arrays.items():
            np.testing.assert_array_equal(found[name], array)
            assert found[name].dtype == array.dtype

    def test_absent(self, tmp_path):
        assert Store(tmp_path).load_arrays("q") is None

    def test_plain_numpy_reads_them(self, tmp_path):
        Store(tmp_path).save_arrays("q", {"x": np.arange(3)})
        with np.load(tmp_path / "queries" / "q.npz") as arrays:
            assert arrays["x"].tolist() == [0, 1, 2]

    def test_cut_anywhere(self, tmp_path):
        store = Store(tmp_path)
        store.save_arrays("q", {"x": np.arange(3)})
        file = tmp_path / "queries" / "q.npz"
        whole = file.read_bytes()
        for length in range(len(whole)):
            file.write_bytes(whole[:length])
            with pytest.warns(DamagedRecord, match="q.npz is damaged and computed again"):
                assert store.load_arrays("q") is None

    def test_flipped_anywhere(self, tmp_path):
        store = Store(tmp_path)
        store.save_arrays("q", {"x": np.arange(3), "y": np.ones(2)})
        file = tmp_path / "queries" / "q.npz"
        whole = file.read_bytes()
        for place in range(len(whole)):
            damaged = bytearray(whole)
            damaged[place] ^= 0x80
            file.write_bytes(damaged)
            with pytest.warns(DamagedRecord, match="q.npz is damaged"):
                assert store.load_arrays("q") is None

    @pytest.mark.parametrize("signed", [False, True])
    @pytest.mark.parametrize("form", ["archive", "bare pickle"])
    def test_no_pickle_is_loaded(self, tmp_path, signed, form):
        mark = tmp_path / "executed"
        payload = np.array([Payload(mark)], dtype=object)
        content = zipped(x=payload) if form == "archive" else pickle.dumps(payload)
        if signed:
            content += hashlib.sha256(content).hexdigest()[: forms.CHECKSUM].encode()
        store = Store(tmp_path)
        store.save_arrays("q", {})
        (tmp_path / "queries" / "q.npz").write_bytes(content)
        with pytest.warns(DamagedRecord, match="q.npz is damaged"):
            assert store.load_arrays("q") is None
        assert not mark.exists()

    def test_the_payload_would_have_run(self, tmp_path):
        mark = tmp_path / "executed"
        pickle.loads(pickle.dumps(Payload(mark))).close()
        assert mark.exists()

    def test_a_killed_replacement_leaves_the_old_file(self, tmp_path, monkeypatch):
        store = Store(tmp_path)
        store.save_arrays("q", {"x": np.zeros(1)})

        def killed(path, target):
            raise KeyboardInterrupt

        monkeypatch.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            store.save_arrays("q", {"x": np.ones(1)})
        assert store.load_arrays("q")["x"].tolist() == [0]
        assert len(Store(tmp_path)) == 0
