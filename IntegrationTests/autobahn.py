#!/usr/bin/env python3
"""Runs Autobahn's WebSocket cases against `conformance-server websocket`. The last line counts them.

    autobahn.py                     the fast sections: 1 to 7, and 10
    autobahn.py --all               all of them, with 9, 12 and 13: minutes
    autobahn.py 9 12                only these
    autobahn.py --wstest PATH …     by Autobahn's own program (autobahntestsuite 0.8.2, which needs Python 2.7)

Without --wstest the cases are run by kosoku, which is Autobahn's case files on a runner for today's Python. A case passes
if its verdicts are OK, or informational where the suite has no other; "non-strict" is a failure here.
"""

import argparse
import asyncio
import collections
import json
import pathlib
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.dont_write_bytecode = True

from cluster import StartError, free_ports, newest_binary  # noqa: E402

FAST = ["1", "2", "3", "4", "5", "6", "7", "10"]
ALL = ["1", "2", "3", "4", "5", "6", "7", "9", "10", "12", "13"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", help="conformance-server; what was built last if not given")
    parser.add_argument("--wstest", help="Autobahn's own program")
    parser.add_argument("--all", action="store_true", help="also the slow sections")
    parser.add_argument("sections", nargs="*")
    options = parser.parse_args()
    sections = options.sections or (ALL if options.all else FAST)
    try:
        binary = options.binary or newest_binary("conformance-server")
    except StartError as error:
        print(f"{error}\n0 passed, 1 failed")
        return 1
    port = free_ports(1)[0]
    server = subprocess.Popen([binary, "websocket", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
    try:
        wait_for(port, server)
        verdicts = by_wstest(options.wstest, port, sections) if options.wstest else by_kosoku(port, sections)
        if server.poll() is not None:
            verdicts["server"] = ("ended", str(server.returncode))
    finally:
        server.terminate()
        server.wait()
    return report(verdicts)


def wait_for(port, server):
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("conformance-server did not start\n0 passed, 1 failed")
            time.sleep(0.05)


def by_kosoku(port, sections):
    import kosoku

    async def run():
        return await kosoku.run_fuzzingclient(f"ws://127.0.0.1:{port}", [f"{s}.*" for s in sections], concurrency=4)

    try:
        results = asyncio.run(run())
    except kosoku.FailureError as failure:
        results = failure.results
    return {r.case_id: (r.behavior.value, r.behavior_close.value) for r in results}


def by_wstest(program, port, sections):
    with tempfile.TemporaryDirectory() as folder:
        specification = pathlib.Path(folder, "fuzzingclient.json")
        specification.write_text(
            json.dumps(
                {
                    "outdir": folder,
                    "servers": [{"agent": "server", "url": f"ws://127.0.0.1:{port}"}],
                    "cases": [f"{s}.*" for s in sections],
                    "exclude-cases": [],
                    "exclude-agent-cases": {},
                }
            )
        )
        subprocess.run([program, "-m", "fuzzingclient", "-s", specification], stdout=subprocess.DEVNULL, check=True)
        cases = json.loads(pathlib.Path(folder, "index.json").read_text())["server"]
    return {case: (verdict["behavior"], verdict["behaviorClose"]) for case, verdict in cases.items()}


def report(verdicts):
    fine = {"OK", "INFORMATIONAL"}
    failed = {case: verdict for case, verdict in verdicts.items() if not fine.issuperset(verdict)}
    sections = collections.defaultdict(collections.Counter)
    for case, verdict in verdicts.items():
        kind = "failed" if case in failed else "OK" if verdict == ("OK", "OK") else "informational"
        sections[case.split(".")[0]][kind] += 1
    print("| section | cases | OK | informational | failed |\n|---|---|---|---|---|")
    for section, counts in sorted(sections.items(), key=lambda item: (len(item[0]), item[0])):
        print(f"| {section} | {counts.total()} | {counts['OK']} | {counts['informational']} | {counts['failed']} |")
    for case, verdict in failed.items():
        print(f"FAILED: {case}: {verdict[0]}, closing {verdict[1]}")
    print(f"{len(verdicts) - len(failed)} passed, {len(failed)} failed")
    return 0 if verdicts and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
