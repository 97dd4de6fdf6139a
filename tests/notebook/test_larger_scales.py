"""Published records in the chapters: which are shown, what is said of them, differences."""

import numpy as np
import pytest
from scipy import stats

from dropkit.notebook import larger_scales
from dropkit.store import Store
from dropkit.study import arrange, plan
from tests.made_records import record

SEEDS, DENSITIES = 3, (0.3, 0.5)


def trained(protocol, density, seed, low, **given):
    """A record on CIFAR whose recalls are `low` + seed %, and one class twice that."""
    recalls = (low + 0.01 * seed, 2 * low)
    model = given.pop("model", "mini")
    made = record(protocol, density, seed, recalls, dataset="cifar10", model=model, **given)
    made["provenance"] |= {"device": "A processor"}
    made["key"] += model + "".join(f"{name}{value}" for name, value in given.items())
    return made | {"seconds": 1200.0}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    store = Store(tmp_path)
    store.add(*(trained("full", 1.0, seed, 0.4) for seed in range(SEEDS)))
    for density in DENSITIES:
        store.add(*(trained("random", density, seed, 0.3) for seed in range(SEEDS)))
        store.add(*(trained("random+drop", density, seed, 0.35) for seed in range(2)))
    store.add(record("random", 0.5, 0))  # of the digits
    store.add(trained("random", 0.5, 0, 0.2, imbalance=20.0))
    store.close()
    monkeypatch.setattr(larger_scales, "FOLDER", tmp_path)
    return tmp_path


class TestPublished:
    def test_larger_scales_alone(self, folder):
        found = larger_scales.published(["full", "random", "el2n"])
        ((setting, cells),) = found.items()
        assert (setting.scale, setting.dataset, setting.model) == ("mini", "cifar10", "mini")
        assert list(cells) == ["full", "random"] and list(cells["random"]) == [0.3, 0.5]
        assert set(cells["random"][0.3]) == set(range(SEEDS))

    def test_tails_apart(self, folder):
        ((setting, cells),) = larger_scales.published(["random"], tails=True).items()
        assert setting.imbalance == 20 and set(cells["random"]) == {0.5}

    def test_a_page_is_told_of_what_it_shows_and_no_more(self, folder, monkeypatch):
        asked = []
        monkeypatch.setattr(
            "dropkit.store.folder.watchers", [lambda record, fresh: asked.append(record)]
        )
        larger_scales.published(["full", "random"])
        shown = [(r["trial"]["protocol"], r["trial"]["density"], r["trial"]["seed"]) for r in asked]
        places = [("full", 1.0), *(("random", density) for density in DENSITIES)]
        assert sorted(shown) == [(*place, seed) for place in places for seed in range(SEEDS)]
        assert {record["trial"]["dataset"] for record in asked} == {"cifar10"}

    def test_groups_apart(self, folder):
        store = Store(folder)
        rows = (0.5, 0.6, 0.7, 0.8)
        made = record("random", 0.5, 0, rows, dataset="waterbirds", model="lite0-imagenet")
        store.add(made | {"key": "birds"})
        store.close()
        assert [one.dataset for one in larger_scales.published(["random"])] == ["cifar10"]
        ((setting, _),) = larger_scales.published(["random"], groups=True).items()
        assert (setting.dataset, setting.scale) == ("waterbirds", "mini")

    def test_no_folder(self, tmp_path, monkeypatch):
        monkeypatch.setattr(larger_scales, "FOLDER", tmp_path / "none")
        assert larger_scales.published(["random"]) == {}


class TestSources:
    def test_what_there_is_and_what_not(self, folder):
        found = larger_scales.published(["full", "random", "random+drop"])
        mini, paper = larger_scales.sources(found).rows
        # 3 + 2 * (3 + 2) networks of 1,200 seconds.
        assert mini[0] == "mini" and mini[2:] == [3, 13, "2 to 3", "A processor", "4.3"]
        assert paper[:2] == ["paper", "no records yet"]

    def test_both_scales(self, folder):
        Store(folder).add(trained("full", 1.0, 0, 0.5, model="vgg16"))
        rows = larger_scales.sources(larger_scales.published(["full"])).rows
        assert [row[0] for row in rows] == ["mini", "paper"] and rows[1][2:5] == [1, 1, 1]

    def test_of_digits_no_page_names_a_device_or_hours(self):
        found = arrange(
            [record("full", 1.0, 0), record("random", 0.5, 1), trained("full", 1, 0, 1)]
        )
        mini, digits, _ = larger_scales.sources(found).rows
        assert (mini[0], mini[-1]) == ("mini", "0.3")  # 1,200 seconds
        assert digits == ["digits", "digits-2x4, mlp", 2, 2, 1, "", ""]


def test_settings_stand_in_rows_with_gains_that_are_paired_by_seed(folder):
    found = larger_scales.published(["full", "random", "random+drop"])
    ((title, *worst, on_random, on_all),) = larger_scales.by_setting(
        found, ["random+drop", "random", "full"], 0.5
    ).rows
    # Two seeds of DRoP, 35 and 36 %; three of the others.
    assert (title, *worst) == ("CIFAR-10, mini", "35.5", "31.0", "41.0")
    assert on_random.startswith("+5.0 [") and on_all.startswith("−5.0 [")
    (cells,) = found.values()
    cells["random+drop, query of 1 epoch"] = cells.pop("random+drop")
    ((_, again, *_),) = larger_scales.by_setting(found, ["random+drop", "random"], 0.5).rows
    assert again == worst[0]
    (row,) = larger_scales.by_setting(found, ["random+drop", "el2n"], 0.7).rows
    assert row[1:] == ["–", "–", "–"]


def test_who_stands_where_and_what_is_kept(folder):
    found = larger_scales.published(["full", "random", "random+drop"])
    text = larger_scales.standing(found, ["random+drop"], "random", 0.5)
    assert text.startswith("CIFAR-10, mini: ") and text.endswith(".")
    (cells,) = found.values()
    kept, sizes, full = larger_scales.kept(cells)
    assert kept.keys() == {"random", "random+drop"} and full.shape[1] == len(sizes)
    assert sizes.tolist() == [10, 10]  # all that the full data keep


def test_what_is_glued_is_what_is_said_of_both_others(folder, monkeypatch):
    glued = {}
    monkeypatch.setattr(larger_scales, "glue", glued.__setitem__)
    found = larger_scales.published(["full", "random", "random+drop"])
    larger_scales.glue_against("x", found, "random+drop", 0.5, "average")
    assert glued == {
        f"x-{other}": larger_scales.against(found, "random+drop", other, 0.5, "average")
        for other in ("random", "full")
    }
    assert glued["x-random"] == "rises by 7.5 points [7.5, 7.5] (CIFAR-10, mini)"


def test_the_section_that_chapters_refer_to_names_every_file_and_small_plan():
    section = (larger_scales.FOLDER.parent / "howto" / "scale.md").read_text()
    files = [file.name for file in larger_scales.FOLDER.glob("*.jsonl")]
    assert files and all(f"<../results/{file}>" in section for file in files)
    plans = [file.stem for file in plan.FOLDER.glob("*-mini.toml")]
    assert plans and all(f"`{name}`" in section for name in plans)


class TestPaperCase:
    def test_beside_the_papers_numbers(self, folder):
        found = larger_scales.published(["full", "random+drop", "full+cdbw"])
        rows, headers, _ = larger_scales.paper_case(found)
        assert headers[1:] == ["paper: cifar100, vgg19", "cifar10, mini"]
        full = stats.t.interval(0.95, SEEDS - 1, 41, stats.sem([40, 41, 42]))
        assert [[row[1], row[2].replace("\xa0", " ")] for row in rows] == [
            ["35.8", f"41.0 [{full[0]:.1f}, {full[1]:.1f}]"],
            ["45.4", "35.5 [29.1, 41.9]"],  # of 35 and 36
            ["+9.6", "−5.0 [−5.0, −5.0]"],
            ["above −6", "−7.5 [−7.5, −7.5]"],
            ["+5.7", "–"],
            ["classes are lost", "–"],
        ]

    def test_seeds_that_lose_a_class(self, folder):
        store = Store(folder)
        for seed, kept in enumerate(([0, 9], [1, 8], [9, 0])):
            store.add(trained("dynunc", 0.1, seed, 0.2) | {"kept": kept})
        store.close()
        rows, *_ = larger_scales.paper_case(larger_scales.published(["dynunc"]))
        assert [row[2] for row in rows] == [*["–"] * 5, "2 of 3"]

    def test_without_records_the_papers_stand_alone(self):
        rows, headers, _ = larger_scales.paper_case({})
        assert len(headers) == 2 and all(len(row) == 2 for row in rows)


def test_each_setting_says_how_far_a_protocol_is_from_another(folder):
    """DRoP's seeds are 0.35 + seed %, all data's 0.4 + seed %, in pairs: 5 points apart."""
    found = larger_scales.published(["full", "random", "random+drop"])
    text = larger_scales.against(found, "random+drop", "full", 0.5)
    assert text.startswith("falls by 5.0 points [5.0, 5.0] (CIFAR-10, mini)")
    text = larger_scales.against(found, "random+drop", "random", 0.5)
    assert text.startswith("rises by 5.0 points [5.0, 5.0] (CIFAR-10, mini)")
    assert larger_scales.against(found, "el2n", "random", 0.5) == ""
    apart = larger_scales.differences(found, "random+drop", "full", 0.5)["CIFAR-10, mini"]
    assert apart == pytest.approx((-5, -5, -5))


def test_words_after_queries_follow_each_length():
    from tests.made_records import QUERY, grid, only

    rows = np.random.default_rng(0).uniform(0.3, 0.5, (4, 3))
    by_epochs = {1: rows, 10: rows + 0.1}
    records = grid(rows)
    for epochs, shifted in by_epochs.items():
        query = QUERY | {"recipe": {"epochs": epochs}}
        made = grid(shifted, "random+drop", recall_query=query)
        records += [one | {"key": f"{epochs}{i}"} for i, one in enumerate(made)]
    said = larger_scales.after_queries(only(records), 0.5, "worst")
    assert said == (
        "after 1 epoch it does not move measurably (+0.0 points [+0.0, +0.0]), "
        "after 10 epochs it rises by 10.0 points [10.0, 10.0]; "
        "from the shortest query to the longest it rises by 10.0 points [10.0, 10.0]"
    )
    assert larger_scales.after_queries(only(grid(rows)), 0.5, "worst") == "was not measured"
