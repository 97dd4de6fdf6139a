"""``dropkit features``: the vectors that a frozen, pretrained network makes of a data set."""

import argparse

from dropkit.commands import _output

HELP = "vectors of a data set's images or texts, by a pretrained network"
DESCRIPTION = """\
Write what a frozen network makes of a data set's images or texts, a vector each, to a file. In the
folder that --data or DROPKIT_DATA names, DATASET-features.npz is the data set DATASET-features of
studies and notebooks. A run that was stopped goes on where it was. Texts need no pretrained network
by --network tfidf (TF-IDF, truncated SVD), which writes DATASET-tfidf-features.npz.

examples:
  dropkit features clinc150 --data ~/data
  dropkit features banking77 --data ~/data --network tfidf
  dropkit features tickets --import my_texts.py --network tfidf --out tickets-features.npz
  dropkit features waterbirds --data ~/data --components 128 --out book/data/waterbirds-features.npz
"""


def add_options(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("dataset", metavar="DATASET", help="such as waterbirds, cifar100 or clinc150")
    add("--data", metavar="FOLDER", help="data sets; default: $DROPKIT_DATA")
    add("--out", metavar="FILE", help="default: DATASET-features.npz in the folder of data sets")
    add(
        "--network",
        help="lite0 (default), lite1, lite2, resnet50; of texts minilm, or tfidf. The name of "
        "another than the default stands in that of the file, DATASET-lite1-features.npz",
    )
    add("--components", type=int, default=0, metavar="N", help="keep N, in one byte each")
    add("--bfloat16", action="store_true", help="of images: faster where a device has it")
    add("--device", default="auto", help="auto (default), cpu, cuda, cuda:N, mps")
    add("--threads", type=int, default=1, help="of a processor (default 1)")
    _output.add_import(command)
    _output.add_options(command)


def run(options: argparse.Namespace) -> None:
    """Write the file and say what is in it."""
    import os
    from pathlib import Path

    import torch

    from dropkit import datasets
    from dropkit.commands.run import check_threads
    from dropkit.datasets.extraction import extract, kind_of
    from dropkit.datasets.features import SUFFIX
    from dropkit.training import devices

    check_threads(options.threads)
    if options.components < 0:
        raise ValueError(f"--components must be 0 or more, got {options.components}")
    folder = options.data or os.environ.get("DROPKIT_DATA", "")
    usual = options.network in (None, "lite0", "minilm")
    name = options.dataset if usual else f"{options.dataset}-{options.network}"
    out = Path(options.out or Path(folder) / f"{name}{SUFFIX}.npz")
    if out.suffix != ".npz":
        raise ValueError(f"--out must end in .npz, got {out}")
    if not out.parent.is_dir():
        raise ValueError(f"there is no folder {out.parent} for --out")
    device = devices.resolve(options.device)
    torch.set_num_threads(options.threads)
    data = datasets.load(options.dataset, root=folder or None)
    extract(
        options.dataset,
        data,
        options.network or ("minilm" if kind_of(data) == "texts" else "lite0"),
        out,
        components=options.components,
        device=str(device),
        bfloat16=options.bfloat16,
    )
    size = out.stat().st_size
    found = {"samples": len(data.y), "out": str(out), "bytes": size}
    text = f"{len(data.y):,} {kind_of(data)} are in {out}, {size / 1e6:.2f} MB"
    _output.tell(options, found, text)
