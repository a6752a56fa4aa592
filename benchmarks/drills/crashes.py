"""Drills 1 to 4 and 13: processes that are killed, at the worst moments and again and again."""

import itertools
import os
import signal
import time
from uuid import UUID

from analysis.models import PostAnalysis, StageRun
from benchmarks.drills import ground
from benchmarks.drills.drill import Outcome, Scene, conclude, conclude_connections, quiet, workers
from benchmarks.drills.fleet import ALL_IN_PROCESSES, PROCESSES, THREADS, Fleet, fleet, is_alive, until
from benchmarks.drills.invariants import read_trace
from benchmarks.drills.simulated import NAMES, POINTS, Plan


def kill_at_each_point(scene: Scene) -> Outcome:
    """1: kill -9 at each crash point of each stage."""
    each = scene.size(full=10, short=1)
    with ground.fresh(scene.home, "points") as folder:
        posts = ground.publish(ground.make_user(), each * len(NAMES) * len(POINTS))
        places = itertools.cycle(itertools.product(NAMES, POINTS))
        plan = Plan(by_default=0.02, crashes={str(post): place for post, place in zip(posts, places, strict=False)})
        with workers(scene, folder, plan, processes=ALL_IN_PROCESSES) as crew:
            quiet(crew, seconds=60 + len(posts))
            outcome = conclude(crew)
            crashed = len([*folder.glob("crashed-*")])
            outcome.facts["crashes"] = crashed
            outcome.require(crashed == len(posts), "not every post was at its point")
            # After the reply and before its result is kept, and in the middle of the call, it has to be asked again.
            asked_again = sum(point in ("calling", "made") for _, point in plan.crashes.values())
            outcome.require(outcome.facts["extra_calls"] == asked_again, f"{asked_again} calls had to be made again")
            conclude_connections(crew, outcome)
    return outcome


def kill_under_load(scene: Scene) -> Outcome:
    """2: workers are killed, with all their children, while there is more to do than they can."""
    posts, kills = scene.size(full=1000, short=120), 5 if scene.short else 50
    chance = scene.chance()
    with ground.fresh(scene.home, "load") as folder:
        # Every post is in flight at several faults that are none of its own.
        plan = Plan(by_default=0.05 if scene.short else 0.15, most_tries=30)
        with workers(scene, folder, plan, one=THREADS, two=THREADS, three=PROCESSES, four=PROCESSES) as crew:
            ground.publish(ground.make_user(), posts)
            until(ground.ended, seconds=60, what="the first end")
            for _ in range(kills):
                time.sleep(chance.uniform(0.5, 1.0))
                crew.kill_any(chance)
            open_after_kills = ground.still_open()
            quiet(crew, seconds=60 + posts)
            outcome = conclude(crew)
            outcome.facts["open_after_the_last_kill"] = open_after_kills
            conclude_connections(crew, outcome)
    return outcome


def deploy(scene: Scene) -> Outcome:
    """3: SIGTERM in the middle of a long stage. Processes give it back, threads finish it and begin no other."""
    long = 6.0 if scene.short else 12.0
    with ground.fresh(scene.home, "deploy") as folder:
        plan = Plan(seconds={"media": long, "transcribe": long})
        with workers(scene, folder, plan, threads=THREADS, processes=PROCESSES) as crew:
            posts = ground.publish(ground.make_user(), 2)
            threads, leaving = crew.running["threads"], _end_in_order(crew, "threads", posts, "media")
            given_back = _end_in_order(crew, "processes", posts, "transcribe")
            quiet(crew, seconds=120)
            outcome = conclude(crew, within=scene.recovery)
    after = [step for step in read_trace(folder) if step.process == threads and step.stage == "captions"]
    outcome.facts |= {"threads_left_after": leaving, "processes_left_after": given_back}
    outcome.require(given_back <= 8, "processes took longer to go than a deployment waits")
    outcome.require(leaving <= long + 3 and not after, "threads went on with another stage")
    outcome.require(outcome.facts["extra_calls"] == len(posts), "not only what processes were at was asked for again")
    return outcome


def _end_in_order(crew: Fleet, name: str, posts: list[UUID], stage: str) -> float:
    running = StageRun.objects.filter(post_analysis__in=posts, stage=stage, outcome="running")
    until(lambda: running.count() == len(posts), seconds=60, what=f"a run of {stage} for each")
    process = crew.running[name]
    os.kill(process, signal.SIGTERM)
    seconds = until(lambda: not is_alive(process), seconds=40, what="the worker's end")
    crew.note_fault("SIGTERM")
    crew.start(name, *crew.workers[name])
    return round(seconds, 1)


def poison(scene: Scene) -> Outcome:
    """4: posts that take their worker down whenever it touches them, among good ones."""
    posts = scene.size(full=200, short=40)
    with ground.fresh(scene.home, "poison") as folder:
        ids = ground.publish(ground.make_user(), posts)
        # One of processes, which alone dies, and one of threads, which takes its neighbours with it.
        bad = {str(ids[posts // 3]): "transcribe", str(ids[posts // 2]): "media"}
        plan = Plan(by_default=0.05, poison=bad)
        with workers(scene, folder, plan, threads=THREADS, processes=PROCESSES) as crew:
            quiet(crew, seconds=120)
            outcome = conclude(crew, failed=len(bad))
            tries = {stage: _attempts(post) for post, stage in bad.items()}
    outcome.facts["attempts"] = tries
    wrong = PostAnalysis.objects.filter(pk__in=bad).exclude(status="FAILED", error_code="gave_up").count()
    outcome.require(wrong == 0, "the poison was not found out")
    return outcome


def _attempts(post: str) -> int:
    return StageRun.objects.filter(post_analysis=post, outcome="lost").count()


def kill_between_commit_and_message(scene: Scene) -> Outcome:
    """13: whoever takes the request dies after COMMIT, before any message is sent."""
    requests = scene.size(full=100, short=5)
    with ground.fresh(scene.home, "commit") as folder:
        user = ground.make_user()
        with fleet(scene.nursery, folder, Plan(by_default=0.02)) as crew:
            for _ in range(requests):
                crew.let_one_die_after_commit(user.pk)
            taken = ground.still_open()
            crew.start_sweeper()
            crew.start("all", *ALL_IN_PROCESSES)
            quiet(crew, seconds=60 + requests)
            outcome = conclude(crew)
    outcome.facts["requests"] = requests
    outcome.require(taken == requests * ground.POSTS_EACH, "a request that was committed is not there")
    return outcome
