"""Runs jobs in the order of what they build on, in this process or in several, and tells how far it is."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console

from rocket_keras.callbacks import NonFiniteLoss
from rocket_keras.compare.job import Job
from rocket_keras.compare.stage import WindowOver, train_stage
from rocket_keras.json_file import write_json
from rocket_keras.launch.recipe import Plan

MakePlan = Callable[[int], Plan]
PAUSE = 20.0
"""Seconds between two writings of the comparison's state, which reads the results of all finished runs."""


class Task(NamedTuple):
    """A job, which of its nets is scored on the test split, and the moment (`time.time`) that it has to stop before."""

    job: Job
    head: str | None
    until: float | None = None


@lru_cache(maxsize=8)
def plan_of(make_plan: MakePlan, seed: int) -> Plan:
    """Return the plan of a seed; its data are loaded once a process."""
    return make_plan(seed)


class Pool:
    """Trains stages and keeps count.

    Args:
        make_plan: From a seed to the plan; hashable, and picklable for several workers.
        root: The comparison's folder.
        workers: Processes; 1 trains in this one.
        console: Where progress is shown.
        until: Moment (`time.time`) that all training stops before, at the end of an epoch; None for no end.
    """

    def __init__(self, make_plan: MakePlan, root: Path, workers: int, console: Console, until: float | None = None):
        self.make_plan, self.root, self.workers, self.console = make_plan, root, workers, console
        self.until = until
        self.seconds: list[float] = []
        self.told = time.perf_counter()

    def run(
        self,
        jobs: Iterable[Job],
        what: str,
        heads: Mapping[Job, str] | None = None,
        after: Callable[[], Any] = lambda: None,
    ) -> None:
        """Run the jobs and what they build on; those that are finished cost nothing.

        Args:
            jobs: The jobs.
            what: What they are for, in a word, for the lines of progress.
            heads: Which net of a job is scored on the test split; none of those that are left out.
            after: Called now and then, at most every `PAUSE` seconds, and at the end.

        Raises:
            WindowOver: Not all is finished at `until`; finished jobs and epochs are kept.
        """
        tasks = self._unfinished(jobs, heads or {})
        if not tasks:
            return
        self.console.print(f"{what}: {len(tasks)} stages", markup=False, highlight=False)
        run = self._in_this_process if self.workers == 1 else self._in_processes
        run(tasks, what, after)
        after()
        left = self._unfinished(jobs, heads or {})
        if left:
            raise WindowOver(f"{what}: {len(tasks) - len(left)} of {len(tasks)} stages finished in the time given")

    def _unfinished(self, jobs: Iterable[Job], heads: Mapping[Job, str]) -> dict[str, Task]:
        """What is still to be done, by the job's key, what is needed first before what needs it."""
        found: dict[str, Task] = {}
        for job in jobs:
            plan = plan_of(self.make_plan, job.seed)
            for one in [*self._chain(job), job]:
                head = heads.get(one)
                if not finished(plan, one, self.root, head):
                    found.setdefault(one.key(plan), Task(one, head, self.until))
        return found

    def _chain(self, job: Job) -> list[Job]:
        return [one for before in job.before() for one in [*self._chain(before), before]]

    def _in_this_process(self, tasks: dict[str, Task], what: str, after: Callable[[], Any]) -> None:
        for count, task in enumerate(tasks.values(), 1):
            if self._is_over():
                return
            begun = time.perf_counter()
            try:
                message = work(self.make_plan, task, self.root, self.console)
            except WindowOver:
                return
            self._tell(what, task.job, message, time.perf_counter() - begun, count, len(tasks))
            self._now_and_then(after)

    def _in_processes(self, tasks: dict[str, Task], what: str, after: Callable[[], Any]) -> None:
        left, running, count = dict(tasks), dict[Future[str], tuple[str, float]](), 0
        context = multiprocessing.get_context("spawn")
        slots = context.Queue()
        for number in range(self.workers):
            slots.put(number)
        with ProcessPoolExecutor(self.workers, context, _settle, (slots, self.workers)) as pool:
            try:
                while left or running:
                    if self._is_over():
                        left.clear()
                    for key in self._ready(left, {key for key, _ in running.values()}):
                        if len(running) < self.workers:
                            future = pool.submit(work, self.make_plan, left.pop(key), self.root, None)
                            running[future] = (key, time.perf_counter())
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        key, begun = running.pop(future)
                        if isinstance(future.exception(), WindowOver):
                            left.clear()  # what is left may build on this one
                            continue
                        count += 1
                        seconds = time.perf_counter() - begun
                        self._tell(what, tasks[key].job, future.result(), seconds, count, len(tasks))
                        self._now_and_then(after)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _ready(self, left: dict[str, Task], running: set[str]) -> list[str]:
        """Keys of tasks that build on nothing unfinished."""
        open_keys = left.keys() | running
        plans = {key: plan_of(self.make_plan, task.job.seed) for key, task in left.items()}
        return [k for k, task in left.items() if not open_keys & {one.key(plans[k]) for one in task.job.before()}]

    def _is_over(self) -> bool:
        return self.until is not None and time.time() >= self.until

    def _now_and_then(self, after: Callable[[], Any]) -> None:
        if time.perf_counter() - self.told > PAUSE:
            after()
            self.told = time.perf_counter()

    def _tell(self, what: str, job: Job, message: str, seconds: float, count: int, total: int) -> None:
        self.seconds.append(seconds)
        left = (total - count) * sum(self.seconds) / len(self.seconds) / self.workers
        line = f"{what} {count}/{total}: {job.stage.trains}, seed {job.seed}, {message}; about {_minutes(left)} left"
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)


def finished(plan: Plan, job: Job, root: Path, head: str | None) -> bool:
    """Return whether the job has an outcome, good or bad, and its net's test scores where they are wanted."""
    folder = job.folder(root, plan)
    scored = head is None or (folder / f"test_{head}.json").exists()
    return ((folder / "result.json").exists() and scored) or (folder / "failed.json").exists()


def work(make_plan: MakePlan, task: Task, root: Path, console: Console | None) -> str:
    """Train one stage; return what came out in a few words.

    A loss that is not finite is an outcome: it is written down, and the other runs go on.

    Raises:
        WindowOver: The task's time is over before it is finished.
    """
    job, plan = task.job, plan_of(make_plan, task.job.seed)
    folder = job.folder(root, plan)
    bad = [one for one in job.before() if (one.folder(root, plan) / "failed.json").exists()]
    if bad:
        write_json(folder / "failed.json", {"why": f"the {bad[0].stage.trains} stage before it failed"})
        return "not trained: a stage before it failed"
    try:
        result = train_stage(plan, job, root, console or Console(quiet=True), task.head, task.until)
    except NonFiniteLoss as error:
        write_json(folder / "failed.json", {"job": job.describe(plan), "why": str(error)})
        return f"failed: {error}"
    scores = {head: next(iter(values.items())) for head, values in result["validation"].items()}
    text = ", ".join(f"{head} {name} {value:.4f}" for head, (name, value) in scores.items())
    return f"validation {text}, {result['seconds']:.1f} s"


def _settle(slots: "multiprocessing.Queue[int]", workers: int) -> None:
    """Give this worker cores of its own, and let it end when the process that schedules is killed or interrupted.

    The backends' thread pools follow the cores that they may use.
    """
    # A terminal interrupts all of its processes; this one ends with its parent.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        mine = cores[slots.get() :: workers]
        os.sched_setaffinity(0, mine or cores)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        # A worker left behind would write into the folder beside the same command's next start.
        os._exit(1)


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
