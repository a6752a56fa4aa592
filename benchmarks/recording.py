"""P3: what the access log costs a request."""

import json
import statistics
import subprocess
import sys
from pathlib import Path

from benchmarks.measure import Figure, Line
from benchmarks.seed import people
from benchmarks.servers import ROOT
from benchmarks.serving import LIST

LINE = Line("list of 50 rows: what the access log adds", "of CPU", target=0.015, red=0.02)


def measure(home: Path, wanted: set[str]) -> list[Figure]:
    asked = json.dumps({"path": LIST, "tokens": [person.token for person in people()]})
    command = [sys.executable, "-m", "benchmarks.rivals.unrecorded"]
    answer = subprocess.run(command, cwd=ROOT, input=asked, stdout=subprocess.PIPE, text=True, check=True).stdout
    rounds = json.loads(answer.splitlines()[-1])
    added = statistics.median(recorded - unrecorded for recorded, unrecorded in rounds)
    detail = f"adds {added:.1f} us to {statistics.median(unrecorded for _, unrecorded in rounds):.0f} us"
    return [Figure("P3", LINE, tuple(recorded / unrecorded - 1 for recorded, unrecorded in rounds), detail)]
