"""Loads what compares the pages, so that a plain ``pytest --nbval book`` does as `make test`."""

pytest_plugins = ["tests.nbval_plugin"]
