"""Lines of records that were cut or flipped, and what other programs left among them."""

import hashlib
import json
import os
import time
from pathlib import Path

import pytest

from dropkit.store import DamagedRecord, ForeignRecord, Store, StoreError, key, records, tidying
from tests.stores import filled, names_in, only_file, record


class TestKey:
    def test_hash_of_canonical_json(self):
        written = b'{"a":{"x":1,"y":null},"b":[0.5,"r"]}'
        found = key({"b": (0.5, "r"), "a": {"y": None, "x": 1}})
        assert found == hashlib.sha256(written).hexdigest()[:20]

    def test_nan_has_no_key(self):
        with pytest.raises(ValueError):
            key({"a": float("nan")})


class TestDamage:
    def test_cut_anywhere_in_the_last_line(self, tmp_path):
        filled(tmp_path)
        file = only_file(tmp_path)
        whole = file.read_bytes()
        start = whole[:-1].rindex(b"\n") + 1
        for length in range(start, len(whole)):
            file.write_bytes(whole[:length])
            if length in (start, len(whole) - 1):
                # Nothing of the line is there, or all but the line break.
                expected = ["a", "b"] if length == start else ["a", "b", "c"]
                assert names_in(tmp_path) == expected
                continue
            with pytest.warns(DamagedRecord) as caught:
                assert names_in(tmp_path) == ["a", "b"]
            (warning,) = caught
            assert f"line 3 of {file}: damaged and left out" in str(warning.message)

    @pytest.mark.parametrize("flip", [0x01, 0x80])
    def test_flipped_anywhere_in_the_middle_line(self, tmp_path, flip):
        filled(tmp_path)
        file = only_file(tmp_path)
        whole = file.read_bytes()
        start = whole.index(b"\n") + 1
        for place in range(start, whole.index(b"\n", start)):
            damaged = bytearray(whole)
            damaged[place] ^= flip
            file.write_bytes(damaged)
            with pytest.warns(DamagedRecord, match="line 2 of "):
                assert names_in(tmp_path) == ["a", "c"]

    def test_foreign_lines(self, tmp_path):
        filled(tmp_path)
        (tmp_path / "notes.jsonl").write_text('{"key": "d"}\n\n{}\n')
        (tmp_path / "notes.txt").write_text("not a record")
        with pytest.warns(DamagedRecord) as caught:
            assert names_in(tmp_path) == ["a", "b", "c"]
        (warning,) = caught
        assert str(warning.message).startswith(f"lines 1, 3 of {tmp_path}/notes.jsonl: damaged")

    def test_many_damaged_lines_are_one_warning(self, tmp_path):
        filled(tmp_path)
        (tmp_path / "notes.jsonl").write_text("nothing\n" * 12)
        with pytest.warns(DamagedRecord) as caught:
            assert names_in(tmp_path) == ["a", "b", "c"]
        (warning,) = caught
        assert "lines 1, 2, 3, 4, 5 and 7 more of" in str(warning.message)

    def test_a_damaged_record_can_be_added_again(self, tmp_path):
        filled(tmp_path)
        file = only_file(tmp_path)
        file.write_bytes(file.read_bytes()[:-5])
        with pytest.warns(DamagedRecord):
            store = Store(tmp_path)
        store.add(record("c"))
        store.close()
        with pytest.warns(DamagedRecord):
            assert names_in(tmp_path) == ["a", "b", "c"]


def signed(text):
    return f"{hashlib.sha256(text.encode()).hexdigest()[:12]} {text}\n"


class TestOtherVersions:
    """What another program, or another version of this one, may have left in the folder."""

    @pytest.mark.parametrize(
        "text",
        [
            '{"form":2,"key":"z"}',
            '{"form":"1","key":"z"}',
            '{"recalls":[1]}',
            '{"key":7}',
            "[1,2]",
            "null",
            "not json",
            "[" * 100_000,
        ],
    )
    def test_signed_but_no_record_of_this_version(self, tmp_path, text):
        filled(tmp_path)
        (tmp_path / "later.jsonl").write_text(signed('{"key":"y"}') + signed(text))
        with pytest.warns(ForeignRecord) as caught:
            assert names_in(tmp_path) == ["a", "b", "c", "y"]
        (warning,) = caught
        assert f"line 2 of {tmp_path}/later.jsonl: no record of this version" in str(
            warning.message
        )

    @pytest.mark.parametrize("kind", ["folder", "pipe"])
    def test_no_file_by_the_name_of_one(self, tmp_path, kind):
        filled(tmp_path)
        {"folder": Path.mkdir, "pipe": os.mkfifo}[kind](tmp_path / "x.jsonl")
        with pytest.warns(ForeignRecord, match="x.jsonl is not a file of records"):
            assert names_in(tmp_path) == ["a", "b", "c"]

    @pytest.mark.parametrize("form", ["2", "later", ""])
    def test_a_store_of_another_form(self, tmp_path, form):
        filled(tmp_path)
        (tmp_path / "form").write_text(form)
        message = f"the store {tmp_path} is of form {form!r}, and this version of dropkit reads"
        with pytest.raises(StoreError, match=message):
            Store(tmp_path)

    def test_a_store_that_says_its_form(self, tmp_path):
        filled(tmp_path)
        (tmp_path / "form").write_text("1\n")
        assert names_in(tmp_path) == ["a", "b", "c"]


def test_lines_are_plain_text(tmp_path):
    """What a reader sees: a checksum, a blank and JSON with sorted keys."""
    store = Store(tmp_path)
    store.add({"key": "k", "b": 1, "a": 0.1})
    line = only_file(tmp_path).read_text()
    checksum, _, text = line.partition(" ")
    assert text == '{"a":0.1,"b":1,"key":"k"}\n'
    assert checksum == hashlib.sha256(text.strip().encode()).hexdigest()[:12]
    assert json.loads(text) == store["k"]


class TestLineBreaks:
    """A flipped line break joins two lines, of which neither is lost."""

    @pytest.mark.parametrize("bit", range(8))
    @pytest.mark.parametrize("place", range(3))
    def test_flipped(self, tmp_path, bit, place):
        filled(tmp_path)
        file = only_file(tmp_path)
        whole = bytearray(file.read_bytes())
        at = [i for i, byte in enumerate(whole) if byte == ord("\n")][place]
        whole[at] ^= 1 << bit
        file.write_bytes(whole)
        with pytest.warns(DamagedRecord, match=f"line {place + 1} of .*: a line break is damaged"):
            assert names_in(tmp_path) == ["a", "b", "c"]

    @pytest.mark.parametrize("missing", range(1, 40, 7))
    def test_stores_put_together_behind_a_torn_line(self, tmp_path, missing):
        for name in ("one", "two"):
            filled(tmp_path / name, f"a{name[0]}" if name == "one" else "bc")
        torn, other = (only_file(tmp_path / name).read_bytes() for name in ("one", "two"))
        (tmp_path / "all.jsonl").write_bytes(torn[:-missing] + other)
        with pytest.warns(DamagedRecord, match="line 2 of .*all.jsonl: "):
            found = names_in(tmp_path)
        assert found == (["a", "b", "c", "o"] if missing == 1 else ["a", "b", "c"])

    @pytest.mark.parametrize("bits", [[5], [0, 5], [3, 7]])
    def test_repair_puts_it_back(self, tmp_path, bits):
        filled(tmp_path, "abcd")
        file = only_file(tmp_path)
        before = file.read_bytes()
        damaged = bytearray(before)
        for nth, bit in enumerate(bits):
            at = [i for i, byte in enumerate(before) if byte == ord("\n")][nth]
            damaged[at] ^= 1 << bit
        file = file.rename(tmp_path / "a.jsonl")
        file.write_bytes(damaged)
        for leftover in tidying.leftovers(tmp_path):
            leftover.remove()
        assert file.read_bytes() == before


class TestRemember:
    @pytest.fixture(autouse=True)
    def remembering(self, monkeypatch):
        monkeypatch.setattr(records, "_remembered", None)
        records.remember()

    def age(self, file, seconds):
        then = time.time_ns() - int(seconds * 1e9)
        os.utime(file, ns=(then, then))

    def test_an_unchanged_file_is_read_once(self, tmp_path, monkeypatch):
        filled(tmp_path)
        self.age(only_file(tmp_path), 60)
        first = list(Store(tmp_path))
        monkeypatch.setattr(records, "_read_anew", None)
        assert list(Store(tmp_path)) == first != []

    def test_a_changed_file_is_read_again(self, tmp_path):
        filled(tmp_path)
        file = only_file(tmp_path)
        self.age(file, 60)
        assert names_in(tmp_path) == ["a", "b", "c"]
        file.write_bytes(file.read_bytes() + records.lines([record("d")]))
        assert names_in(tmp_path) == ["a", "b", "c", "d"]

    def test_one_that_changed_just_now_may_change_again_unseen(self, tmp_path):
        filled(tmp_path)
        file = only_file(tmp_path)
        self.age(file, 1)
        then, whole = file.stat().st_mtime_ns, file.read_bytes()
        assert names_in(tmp_path) == ["a", "b", "c"]
        file.write_bytes(whole.replace(b'"key":"a"', b'"key":"e"'))
        os.utime(file, ns=(then, then))
        with pytest.warns(DamagedRecord):
            assert names_in(tmp_path) == ["b", "c"]

    def test_damage_is_said_each_time(self, tmp_path):
        filled(tmp_path)
        file = only_file(tmp_path)
        file.write_bytes(file.read_bytes()[:-9])
        self.age(file, 60)
        for _ in range(2):
            with pytest.warns(DamagedRecord, match="line 3"):
                assert names_in(tmp_path) == ["a", "b"]
