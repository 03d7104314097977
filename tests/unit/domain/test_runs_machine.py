"""Whatever workers and the broker do, in whatever order: a task lives by its rules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from services.api.domain import changes
from services.api.domain.changes import NewTask, TaskChange
from services.api.domain.lifecycle import FAILED, FINAL, STAGES, Stage, is_legal
from services.api.domain.runs import (
    Accepted,
    Failed,
    Go,
    Later,
    Limits,
    Outcome,
    Refused,
    Released,
    Rules,
    Run,
    Stop,
    Stored,
    error,
)
from services.api.domain.task import Master, Task

START = datetime(2026, 1, 1, tzinfo=UTC)
MD5 = "0" * 32
LIMITS = Limits(lease=timedelta(seconds=30), max_attempts=3)
RULES = Rules(limits=LIMITS, trust_silence_from=START)

OUTCOMES = st.sampled_from(
    [
        Stored(master=Master(blob_key="k", size_bytes=9, md5=MD5)),
        Accepted(md5=MD5, size_bytes=9, format={"codec": "PCM"}),
        Accepted(md5="f" * 32, size_bytes=9, format={}),
        Refused(problems=(error("no_atmos", "It is stereo."),)),
        Failed(problem=error("origin_error", "503"), retry_after=timedelta(minutes=2)),
        Failed(problem=error("truncated", "Short.")),
        Released(reason="shutdown"),
        Released(reason="no_space", retry_after=timedelta(minutes=1)),
    ]
)


def new_task() -> Task:
    new = NewTask(master_type="dolby_atmos", source_uri="https://a.example/m.wav")
    return changes.create(new, UUID(int=1), "default", START)


class Pipeline(RuleBasedStateMachine):
    """One task, any number of workers, a broker that repeats, reorders and forgets."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.sent: list[tuple[Run, Outcome]] = []
        self.runs: list[Run] = []

    @initialize()
    def create(self) -> None:
        self.task = new_task()

    def _take(self, after: Task) -> None:
        before = self.task
        assert is_legal(before.status, after.status)
        assert after.generation >= before.generation
        assert after.version >= before.version
        if after.status != before.status:
            assert after.version > before.version
        self.task = after

    @rule(stage=st.sampled_from(Stage), back=st.integers(0, 1))
    def claim(self, stage: Stage, back: int) -> None:
        run = Run(stage, self.task.generation - back, uuid4())
        held = self.task.claim
        after, decision = RULES.claim(self.task, run, self.now)
        match decision:
            case Go():
                assert held is None or held.lease_until <= self.now
                assert after.claim is not None
                assert after.claim.run_id == run.id
                assert after.status is STAGES[stage].running
                self.runs.append(run)
            case Later(delay):
                assert delay > timedelta(0)
                assert after == self.task
            case Stop(reason):
                assert reason == "attempts_exhausted" or after == self.task
        self._take(after)

    @precondition(lambda self: self.runs)
    @rule(pick=st.randoms())
    def claim_again(self, pick: object) -> None:
        run = pick.choice(self.runs)  # type: ignore[attr-defined] # hypothesis gives a Random
        after, decision = RULES.claim(self.task, run, self.now)
        if RULES.holds(self.task, run):
            assert isinstance(decision, Go)
            assert after == self.task
        self._take(after)

    @precondition(lambda self: self.runs)
    @rule(pick=st.randoms(), done=st.integers(0, 100))
    def progress(self, pick: object, done: int) -> None:
        run = pick.choice(self.runs)  # type: ignore[attr-defined] # hypothesis gives a Random
        after = RULES.progress(self.task, run, done, 100, self.now)
        if after is None:
            return
        assert RULES.holds(self.task, run)
        assert after.version == self.task.version
        self._take(after)

    @precondition(lambda self: self.runs)
    @rule(pick=st.randoms(), outcome=OUTCOMES)
    def send(self, pick: object, outcome: Outcome) -> None:
        self.sent.append((pick.choice(self.runs), outcome))  # type: ignore[attr-defined] # as above

    @precondition(lambda self: self.sent)
    @rule(pick=st.randoms(), jitter=st.floats(0, 1))
    def deliver(self, pick: object, jitter: float) -> None:
        run, outcome = pick.choice(self.sent)  # type: ignore[attr-defined] # as above
        held = RULES.holds(self.task, run)
        after = RULES.report(self.task, run, outcome, self.now, jitter)
        assert (after is not None) == held
        if after is not None:
            assert after.claim is None
            self._take(after)
            assert RULES.report(after, run, outcome, self.now, jitter) is None

    @rule(seconds=st.integers(0, 400))
    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(url=st.sampled_from(["https://a.example/m.wav", "https://a.example/n.wav"]))
    def change_source(self, url: str) -> None:
        before = self.task
        after = changes.change(before, TaskChange(source_uri=url), self.now)
        assert (after is before) == (url == before.source_uri)
        self._take(after)

    @precondition(lambda self: self.task.status in FAILED)
    @rule()
    def retry(self) -> None:
        self._take(changes.retry(self.task, self.now))

    @invariant()
    def a_final_task_rests_and_any_other_is_due_some_day(self) -> None:
        if not hasattr(self, "task"):
            return
        assert (self.task.due_at is None) == (self.task.status in FINAL)
        assert self.task.attempts <= LIMITS.max_attempts
        if self.task.status in FINAL:
            assert self.task.claim is None
        if self.task.status in FAILED:
            assert any(problem["severity"] == "error" for problem in self.task.problems)


# One failure is told at a time, by its own exception.
Pipeline.TestCase.settings = settings(
    max_examples=150, stateful_step_count=40, deadline=None, report_multiple_bugs=False
)
TestPipeline = Pipeline.TestCase


@given(data=st.data())
def test_duplicated_and_reordered_reports_end_as_one_of_each_in_order(data: st.DataObject) -> None:
    task, now = new_task(), START
    download, validate = Run(Stage.DOWNLOAD, 1, uuid4()), Run(Stage.VALIDATE, 1, uuid4())
    stale = Run(Stage.DOWNLOAD, 1, uuid4())
    stored = Stored(master=Master(blob_key="k", size_bytes=9, md5=MD5))
    accepted = Accepted(md5=MD5, size_bytes=9, format={"codec": "PCM"})
    told: list[tuple[Run, Outcome]] = [
        (download, stored),
        (validate, accepted),
        (stale, Refused(problems=(error("x", "y"),))),
    ]
    noise = st.lists(st.sampled_from(told), max_size=6)

    def deliver(messages: list[tuple[Run, Outcome]], task: Task) -> Task:
        for run, outcome in messages:
            task = RULES.report(task, run, outcome, now, 0.5) or task
        return task

    task, _ = RULES.claim(task, download, now)
    early = data.draw(noise.map(lambda m: [t for t in m if t[0] is not download]))
    task = deliver([*early, told[0], *data.draw(noise)], task)
    task, decision = RULES.claim(task, validate, now)
    assert isinstance(decision, Go)
    late = data.draw(noise.map(lambda m: [t for t in m if t[0] is not validate]))
    task = deliver([*late, told[1], *data.draw(noise)], task)

    straight, _ = RULES.claim(new_task(), download, now)
    straight = deliver([told[0]], straight)
    straight, _ = RULES.claim(straight, validate, now)
    assert task == deliver([told[1]], straight)
