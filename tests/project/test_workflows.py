"""The workflows run what the Makefile has, with few rights; launch pages install what they need."""

import re
from pathlib import Path

import nbformat
import pytest
import yaml

from book._ext import launch
from dropkit.notebook import declared

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

each_workflow = pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)


def load(file: Path) -> dict:
    return yaml.safe_load(file.read_text())


def steps(file: Path) -> list[dict]:
    return [step for job in load(file)["jobs"].values() for step in job["steps"]]


@each_workflow
def test_commands_exist(file: Path) -> None:
    for step in steps(file):
        assert set(re.findall(r"make ([a-z]+)", step.get("run", ""))) <= TARGETS


def test_actions_are_commits_with_their_versions_named_and_one_commit_a_version() -> None:
    """A tag can be moved by whoever takes over an action, a commit cannot."""
    used = [
        line.split("uses: ")[1]
        for file in WORKFLOWS
        for line in file.read_text().splitlines()
        if "uses: " in line
    ]
    pins = {
        re.fullmatch(r"([\w-]+/[\w-]+)@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)", each) for each in used
    }
    assert None not in pins and len({found[1] for found in pins}) == len(set(used))


@each_workflow
def test_what_runs_others_code_may_only_read_and_has_no_token(file: Path) -> None:
    workflow = load(file)
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        commands = " ".join(step.get("run", "") for step in job["steps"])
        if "permissions" in job:  # to write or publish: by git and GitHub's own programs alone
            programs = set(re.findall(r"^\s*(\S+)", commands, re.MULTILINE))
            if "uv publish" in commands:  # to the index: by uv, known by its hashes
                assert job["permissions"] == {"id-token": "write"}
                assert programs == {"python", "uv"} and "--require-hashes -r dist/" in commands
            else:
                assert programs <= {"git", "gh"}
        else:
            assert "timeout-minutes" in job
            checkout = next(step for step in job["steps"] if "checkout" in step.get("uses", ""))
            assert checkout["with"]["persist-credentials"] is False


@each_workflow
def test_runs_of_one_kind_do_not_overtake_each_other(file: Path) -> None:
    concurrency = load(file)["concurrency"]
    assert concurrency["group"]
    # A push to main that is publishing is not stopped half way.
    assert concurrency.get("cancel-in-progress", False) in (
        False,
        "${{ github.event_name == 'pull_request' }}",
    )


def test_what_is_locked_is_looked_up_among_known_vulnerabilities_every_week() -> None:
    runs = [step.get("run", "") for step in steps(ROOT / ".github/workflows/weekly.yml")]
    audits = [run for run in runs if "pip-audit" in run]
    assert audits and all("--require-hashes" in run for run in audits)
    assert all(run.endswith(" -r requirements.lock") for run in audits)


def test_the_tests_see_the_book_that_is_published() -> None:
    for name in ("book", "release"):
        job = next(iter(load(ROOT / f".github/workflows/{name}.yml")["jobs"].values()))
        runs = [step["run"] for step in job["steps"] if "run" in step]
        assert runs[:2] == ["make book", "make test"]  # make test renders what make book executed


def test_binder_has_the_locked_packages_and_this_one() -> None:
    assert (ROOT / ".binder/requirements.txt").read_text() == "-r ../requirements.lock\n"
    script = ROOT / ".binder/postBuild"
    assert "--no-deps" in script.read_text() and script.stat().st_mode & 0o111


def test_launch_pages_install_first_and_change_nothing_else(tmp_path: Path) -> None:
    for page in (ROOT / "book").glob("*.ipynb"):
        (tmp_path / page.name).write_bytes(page.read_bytes())
    assert launch.main(["owner/name", str(tmp_path)]) == 0
    for page in tmp_path.glob("*.ipynb"):
        before = nbformat.read(ROOT / "book" / page.name, as_version=4)
        after = nbformat.read(page, as_version=4)
        nbformat.validate(after)
        assert after.cells[0].cell_type == "markdown" and after.cells[1].id == "install"
        assert "github.com/owner/name.git" in after.cells[1].source
        assert "pip install --quiet '.[sampler,train]'" in after.cells[1].source
        assert [after.cells[0], *after.cells[2:]] == before.cells
        code = [[c.source for c in each.cells if c.cell_type == "code"] for each in (before, after)]
        assert declared(code[0])[0] == declared(code[1])[0]


def test_pages_run_in_colabs_image_with_parameters_that_they_have() -> None:
    job = load(ROOT / ".github/workflows/weekly.yml")["jobs"]["colab"]
    assert job["steps"][0]["with"]["ref"] == "launch"
    runs = re.findall(r"/book/(\S+\.ipynb)\S* \S+ -y \"(.*)\"", job["steps"][-1]["run"])
    assert len(runs) == 2
    for page, given in runs:
        cells = nbformat.read(ROOT / "notebooks" / page, as_version=4).cells
        known, _ = declared([cell.source for cell in cells if cell.cell_type == "code"])
        assert yaml.safe_load(given).keys() <= known.keys()


def test_install_cell_does_nothing_where_the_code_is(tmp_path: Path) -> None:
    from IPython.core.inputtransformer2 import TransformerManager
    from IPython.core.interactiveshell import InteractiveShell

    cell = launch.INSTALL.format(repository="owner/name")
    compile(TransformerManager().transform_cell(cell), "install", "exec")
    shell = InteractiveShell()  # none that others would find, as that of get_ipython() is
    shell.run_line_magic = shell.system = lambda *given, **_: pytest.fail(f"ran {given}")
    assert shell.run_cell(cell).success


@pytest.mark.parametrize(
    "repository, words", [("name", "must be OWNER/NAME"), ("owner/name", "there are no notebooks")]
)
def test_mistakes_are_one_sentence(tmp_path: Path, capsys, repository: str, words: str) -> None:
    with pytest.raises(SystemExit):
        launch.main([repository, str(tmp_path)])
    assert words in capsys.readouterr().err
