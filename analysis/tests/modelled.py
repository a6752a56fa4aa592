"""A post as it should be: the small model that the engine is held against."""

from dataclasses import dataclass, field

WAY = {"collect": "io", "media": "io", "transcribe": "cpu", "analyse": "io"}
STAGES = [*WAY]
PROGRESS = {"collect": 30, "media": 40, "transcribe": 70, "analyse": 100}


@dataclass
class Modelled:
    """One post: who holds it, whether it waits, what is done."""

    status: str = "PENDING"
    stage: str = "collect"
    fence: int = 0
    tries: int = 0
    held: bool = False  # by a lease that stands
    leased: bool = False  # by any lease, even one that is over
    waits: bool = False
    woken: int = -1
    unit: bool = True
    progress: int = 0
    running: bool = False
    begun: bool = False  # by anybody, since it was opened
    done: set[str] = field(default_factory=set)

    @property
    def is_open(self) -> bool:
        return self.status in ("PENDING", "PROCESSING")

    @property
    def is_due(self) -> bool:
        return self.is_open and not self.held and not self.waits

    def claim(self) -> None:
        self.status, self.fence, self.tries = "PROCESSING", self.fence + 1, self.tries + 1
        self.held = self.leased = self.running = self.begun = True

    def let_go(self, *, waits: bool = False) -> None:
        self.held, self.leased, self.waits, self.running = False, False, waits, False

    def go_on(self) -> bool:
        """A stage is done; whether its holder goes straight on with the next one."""
        self.done.add(self.stage)
        self.progress = PROGRESS[self.stage]
        following = STAGES[STAGES.index(self.stage) + 1]
        keeps = WAY[following] == WAY[self.stage]
        self.stage, self.tries, self.woken = following, int(keeps), -1
        if keeps:
            self.held = True
        else:
            self.let_go()
        return keeps

    def end(self, status: str) -> None:
        self.let_go()
        self.status, self.progress = status, 100

    def begin_again(self, stage: str) -> None:
        self.done -= set(STAGES[STAGES.index(stage) :])
        self.status, self.stage, self.tries, self.progress, self.begun = "PENDING", stage, 0, 0, False
