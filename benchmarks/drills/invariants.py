"""What must hold when everything is quiet again: asked of the rows, and of the trace that the workers left."""

import subprocess
from base64 import b64encode
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import connection

from benchmarks.drills.fleet import Fault
from benchmarks.drills.simulated import CANARY, NAMES

SETTLED = ("checked", "ended", "paused")
CHECKS = {
    "I1 every post has ended, and every request with its last post": """
        SELECT (SELECT count(*) FROM analysis_postanalysis WHERE status IN ('PENDING', 'PROCESSING'))
            + (SELECT count(*) FROM analysis_postanalysisrequest WHERE status IN ('PENDING', 'PROCESSING')
                OR open_posts <> 0 OR posts_processed <> total_posts OR progress_points <> 100 * total_posts)
            + (SELECT count(*) FROM analysis_postanalysisrequest request WHERE total_posts <> (
                SELECT count(*) FROM analysis_postanalysis WHERE request_id = request.id))
    """,
    "I1 a request has ended once": """
        SELECT count(*) FROM analysis_postanalysisrequest request WHERE 1 <> (
            SELECT count(*) FROM analysis_analysisstatushistory history WHERE history.request_id = request.id
                AND stage IN ('analysis_complete', 'partial_success', 'error', 'cancelled')
                AND post_analysis_id IS NULL)
    """,
    "I2 a complete post has one result of each stage": """
        SELECT count(*) FROM analysis_postanalysis post WHERE (
            SELECT count(*) FROM analysis_stagerun run WHERE run.post_analysis_id = post.id AND run.outcome = 'done'
        ) <> %(stages)s AND status = 'COMPLETED'
    """,
    "I2 a result is of the attempt that held the post to the end": """
        SELECT count(*) FROM analysis_postanalysis post JOIN analysis_stagerun run ON run.post_analysis_id = post.id
            AND run.stage = %(last)s AND run.outcome = 'done'
        WHERE post.status <> 'COMPLETED' OR post.model <> 'attempt ' || run.fence OR run.fence <> post.fence
    """,
    "I3 no run is left open, and calls add up": """
        SELECT (SELECT count(*) FROM analysis_stagerun WHERE outcome = 'running')
            + (SELECT count(*) FROM analysis_postanalysisrequest request WHERE total_api_calls <> (
                SELECT COALESCE(sum(calls), 0) FROM analysis_stagerun run JOIN analysis_postanalysis post
                ON post.id = run.post_analysis_id WHERE post.request_id = request.id))
    """,
    # A post that has failed got its unit back then: what was begun with before says nothing of the unit spent since.
    "I4 units used are those of posts that did not fail, nor were called off before anybody began": """
        SELECT abs((SELECT COALESCE(sum(url_lookups), 0) FROM accounts_userusage)
                - (SELECT count(*) FROM analysis_postanalysis WHERE status = 'COMPLETED'
                    OR status = 'CANCELLED' AND EXISTS (SELECT FROM analysis_stagerun run
                        WHERE run.post_analysis_id = analysis_postanalysis.id AND run.started_at > COALESCE((
                            SELECT max(created_at) FROM analysis_analysisstatushistory history
                            WHERE history.post_analysis_id = analysis_postanalysis.id AND history.stage = 'error'
                        ), '-infinity'))))
            + abs((SELECT COALESCE(sum(url_lookups), 0) FROM accounts_userusage)
                - (SELECT COALESCE(sum(amount), 0) FROM accounts_usageentry WHERE given_back_at IS NULL))
    """,
}


@dataclass(frozen=True)
class Step:
    """A line of the trace."""

    at: float
    process: int
    point: str
    post: str
    stage: str
    fence: int


def read_trace(folder: Path) -> list[Step]:
    if not (folder / "trace").exists():
        return []
    lines = [line.split() for line in (folder / "trace").read_text().splitlines()]
    return [Step(float(at), int(pid), point, post, stage, int(fence)) for at, pid, point, post, stage, fence in lines]


def broken() -> dict[str, int]:
    """The invariants that do not hold, and in how many places."""
    found = {}
    with connection.cursor() as cursor:
        for name, statement in CHECKS.items():
            cursor.execute(statement, {"stages": len(NAMES), "last": NAMES[-1]})
            found[name] = int(cursor.fetchone()[0])
    return {name: count for name, count in found.items() if count}


def calls_without_intent(trace: Sequence[Step]) -> int:
    """I3: a run is written down before anything is asked of a vendor."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT post_analysis_id::text, stage, fence FROM analysis_stagerun")
        runs = set(cursor.fetchall())
    return sum((step.post, step.stage, step.fence) not in runs for step in trace if step.point == "calling")


def given_up(trace: Sequence[Step]) -> list[Step]:
    """The claims whose holder never wrote down what came of them: what was in flight at the faults."""
    over = {(step.post, step.stage, step.fence) for step in trace if step.point in SETTLED}
    return [step for step in trace if step.point == "claimed" and (step.post, step.stage, step.fence) not in over]


def extra_calls(trace: Sequence[Step]) -> int:
    calls = Counter((step.post, step.stage) for step in trace if step.point == "calling")
    return sum(count - 1 for count in calls.values())


def slowest_recovery(trace: Sequence[Step], faults: Sequence[Fault]) -> float:
    """I10: seconds from the fault that took a post's holder to its being somebody's again, the longest of all."""
    waits = [0.0]
    for lost in given_up(trace):
        following = min(
            (step.at for step in trace if step.post == lost.post and step.fence > lost.fence), default=lost.at
        )
        # A process that brought itself down did so with its last step.
        ends = [fault.at for fault in faults] or [step.at for step in trace if step.process == lost.process]
        waits.append(following - max(at for at in [*ends, lost.at] if at <= following))
    return max(waits)


def told_secrets(home: Path) -> list[str]:
    """I8: files of the servers and the workers in which the vendor's key stands, as it is or in a message's base64."""
    shifted = (b64encode(b"_" * shift + CANARY.encode()).decode() for shift in range(3))
    # Of whatever stands before and after it, the first and the last characters say something too.
    words = [CANARY, *(each[4:-4] for each in shifted)]
    asked = [option for word in words for option in ("-e", word)]
    found = subprocess.run(["grep", "-rlaF", *asked, str(home)], capture_output=True, text=True, check=False)
    return found.stdout.splitlines()


def connections_of_workers() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return int(cursor.fetchone()[0])


def facts_of(trace: Sequence[Step], faults: Sequence[Fault]) -> dict[str, Any]:
    return {
        "faults": len(faults),
        "vendor_calls": sum(step.point == "calling" for step in trace),
        "extra_calls": extra_calls(trace),
        "put_off": sum(step.point == "paused" for step in trace),
        "in_flight_at_faults": len(given_up(trace)),
        "slowest_recovery": round(slowest_recovery(trace, faults), 2),
    }
