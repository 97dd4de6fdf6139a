"""Pages are rendered as they are, by one build at a time."""

import subprocess
import sys
from pathlib import Path

PATIENCE = 600  # seconds, on a busy machine


def test_two_builds_at_once_do_not_damage_each_other(tmp_path: Path) -> None:
    (tmp_path / "_config.yml").write_text("title: A book\nonly_build_toc_files: true\n")
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: index\n")
    (tmp_path / "index.md").write_text("# A page\n")
    builds = [
        subprocess.Popen(
            [sys.executable, "-m", "book._ext.render"],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    said = [build.communicate(timeout=PATIENCE) for build in builds]
    assert [build.returncode for build in builds] == [0, 0], said
    assert sorted(said) == [("", ""), ("", "another build writes _build: waiting for its end\n")]
    assert "A page" in (tmp_path / "_build" / "html" / "index.html").read_text()


def test_a_warning_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "_config.yml").write_text("title: A book\nonly_build_toc_files: true\n")
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: index\n")
    (tmp_path / "index.md").write_text("# A page\n\n[nowhere](nowhere.md)\n")
    command = [sys.executable, "-m", "book._ext.render"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1 and "nowhere.md" in done.stderr
