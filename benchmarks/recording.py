"""P3: what the access log costs a request.

What it adds is measured in one process, with and without it in turns: two servers of the same code differ by more than
that. What it is added to is the list as a deployment serves it, socket and all.
"""

import json
import statistics
import subprocess
import sys
from pathlib import Path

from benchmarks.measure import Figure, Line
from benchmarks.seed import people
from benchmarks.servers import ROOT, only
from benchmarks.serving import LIST, cost_of_list

LINE = Line("list of 50 rows: what the access log adds", "of CPU", target=0.015, red=0.02)


def measure(home: Path, wanted: set[str]) -> list[Figure]:
    somebody = people()
    asked = json.dumps({"path": LIST, "tokens": [person.token for person in somebody]})
    command = [sys.executable, "-m", "benchmarks.rivals.unrecorded"]
    answer = subprocess.run(command, cwd=ROOT, input=asked, stdout=subprocess.PIPE, text=True, check=True).stdout
    added = [recorded - unrecorded for recorded, unrecorded in json.loads(answer.splitlines()[-1])]
    with only("ours", home) as server:
        served = cost_of_list(server, somebody)
    detail = f"adds {statistics.median(added):.1f} us, to {served - statistics.median(added):.0f} us"
    return [Figure("P3", LINE, tuple(each / (served - each) for each in added), detail)]
