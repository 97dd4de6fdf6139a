"""``dropkit scores``: the pruning scores, listed or computed from what a query model recorded."""

import argparse

from dropkit.commands import _output

HELP = "list the pruning scores, or compute one"
DESCRIPTION = """\
List the pruning scores and what each needs, or compute one of them for samples whose query model
was recorded in .npy files. Higher scores are kept.

example:
  dropkit scores
  dropkit scores el2n --probs probs.npy --labels y.npy --out el2n.npy
  dropkit prune --labels y.npy --scores el2n.npy --protocol el2n --density 0.5 --out kept.npy
"""

# Option and shape of each field of dropkit.scores.QueryRecord; a test holds them together.
RECORDS = {
    "labels": "(n,) classes 0..K-1",
    "probs": "(R, n, K) softmax outputs of R initialisations",
    "grad_norms": "(R, n) gradient norms",
    "target_probs": "(E, n) probabilities of the true class after each of E epochs",
    "correct": "(E, n) whether the prediction was right in each epoch of training",
    "features": "(n, d) outputs of the layer before the last",
    "margins": "(E, n) probability of the true class less the highest other, in each epoch",
}


def add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("score", nargs="?", metavar="NAME", help="the score to compute")
    for name, shape in RECORDS.items():
        command.add_argument(f"--{name.replace('_', '-')}", metavar="FILE.npy", help=shape)
    command.add_argument("--out", metavar="FILE.npy", help="where to write the (n,) scores")
    _output.add_import(command)
    _output.add_options(command)


def run(options: argparse.Namespace) -> None:
    """Print one line a score, or write the scores of one."""
    from dropkit.scores.registry import SCORES

    if options.score is None:
        kinds = {"short": "several short queries", "long": "one full query"}
        lines = []
        for score in SCORES.values():
            needs = ", ".join(f"--{name.replace('_', '-')}" for name in score.needs)
            lines.append(f"{score.name:<12} {kinds[score.schedule]:<22} needs {needs}")
        found = [
            {"score": each.name, "schedule": each.schedule, "needs": each.needs}
            for each in SCORES.values()
        ]
        _output.tell(options, found, "\n".join(lines), summary=False)
        return
    if options.score not in SCORES:
        raise ValueError(f"there is no score {options.score!r}: use one of {', '.join(SCORES)}")
    _compute(options)


def _compute(options: argparse.Namespace) -> None:
    import numpy as np

    from dropkit.commands._columns import array, check_target
    from dropkit.scores.registry import SCORES, QueryRecord

    if options.out is None:
        raise ValueError("--out is missing: name the file that the scores are written to")
    given = {name: getattr(options, name) for name in RECORDS}
    check_target(options.out, given.values())
    missing = [name for name in SCORES[options.score].needs if given[name] is None]
    if missing:
        wanted = " and ".join(f"--{name.replace('_', '-')} FILE.npy" for name in missing)
        raise ValueError(f"the score {options.score!r} needs {wanted}")
    record = QueryRecord(**{name: array(path) for name, path in given.items() if path})
    scores = SCORES[options.score](record)
    np.save(options.out, scores)
    found = {"scores": len(scores), "out": options.out}
    _output.tell(options, found, f"{len(scores):,} scores in {options.out}")
