"""Print each benchmark row as it finishes; exit status 1 when a target is missed."""

import argparse
import importlib
import pkgutil
import sys

from dropkit._common import machine
from dropkit.training import devices
from tests import bench


def main(arguments: list[str] | None = None) -> int:
    known = sorted(module.name for module in pkgutil.iter_modules(bench.__path__))
    topics = [name for name in known if name != "__main__"]
    parser = argparse.ArgumentParser("python -m tests.bench", description=__doc__)
    parser.add_argument("topics", nargs="*", metavar="topic", help=f"of {', '.join(topics)}")
    named = parser.parse_args(arguments).topics
    chosen = named or topics
    if unknown := sorted(set(chosen) - set(topics)):
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(topics)}")
    missed = 0
    instructions = devices.used("float32", "cpu")["instructions"]
    print(f"on {machine.processor()} ({instructions}), cores: {machine.cores()}")
    print(f"{'':4} {'measured':>10} {'':<8} {'target':<12} what", flush=True)
    for topic in chosen:
        module = importlib.import_module(f"tests.bench.{topic}")
        if getattr(module, "ON_REQUEST", False) and not named:
            continue
        for row in module.rows():
            missed += not row.met
            print(
                f"{'ok' if row.met else 'MISS':4} {row.value:>10.4g} {row.unit:<8} "
                f"{row.target:<12} {row.what}",
                flush=True,
            )
    print(f"{missed} missed" if missed else "every target is met")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
