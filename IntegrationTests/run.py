#!/usr/bin/env python3
"""Starts the cluster, runs the integration tests against it, stops it. The last line counts them."""

import argparse
import pathlib
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.dont_write_bytecode = True

import cluster  # noqa: E402


class Result(unittest.TextTestResult):
    """One line a test, as it ends."""

    def __init__(self, stream, descriptions, verbosity):
        super().__init__(stream, descriptions, 0)
        self.passed = 0
        self.started = {}

    def startTest(self, test):
        super().startTest(test)
        self.started[test.id()] = time.monotonic()

    def report(self, test, word):
        seconds = time.monotonic() - self.started.get(test.id(), time.monotonic())
        print(f"   {word}: {test.id().split('.', 1)[1]} ({seconds:.1f} s)", flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed += 1
        self.report(test, "ok")

    def addError(self, test, error):
        super().addError(test, error)
        self.report(test, "FAILED")

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.report(test, "FAILED")

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error is not None:
            self.report(subtest, "FAILED")


# In this order; the other files `test_*.py` come after them, by name.
FIRST = ["test_fault_kit", "test_cluster", "test_faults", "test_redis_faults", "test_recovery"]


def all_modules():
    found = {path.stem for path in pathlib.Path(__file__).parent.glob("test_*.py")}
    return FIRST + sorted(found - set(FIRST))


def main(modules=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", help="socketio-node; .build/release/socketio-node if not given")
    parser.add_argument("names", nargs="*", help="only these: test_cluster.Rooms, test_cluster.Rooms.test_…")
    options = parser.parse_args()
    if options.binary:
        cluster.BINARY = pathlib.Path(options.binary).resolve()
    # Imported here, so that --help needs nothing but Python.
    import support

    loader = unittest.TestLoader()
    suite = loader.loadTestsFromNames(options.names or modules or all_modules())
    try:
        with cluster.Cluster() as nodes:
            support.ClusterTestCase.cluster = nodes
            runner = unittest.TextTestRunner(stream=sys.stdout, resultclass=Result, verbosity=0)
            result = runner.run(suite)
            if not result.wasSuccessful():
                for node in nodes.nodes:
                    print(f"--- the end of node {node.index}'s log\n{node.process.tail(15)}")
    except cluster.StartError as error:
        print(f"cluster: {error}\n0 passed, 1 failed")
        return 1
    failed = len({getattr(test, "test_case", test).id() for test, _ in result.failures + result.errors})
    print(f"{result.passed} passed, {failed} failed")
    return 0 if result.wasSuccessful() and result.passed else 1


if __name__ == "__main__":
    sys.exit(main())
