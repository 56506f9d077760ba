"""A control plane with a real adapter over a simulated account, on one clock."""

from tests.contracts.worlds import RENTED
from tests.control.rig import GOOD, TENANT, Rig, Worker

from leitstand.boot.program import told
from leitstand.launch import MANIFEST_VARIABLE, decode
from leitstand.store import instances

STEPS_MAX, STEP_SECONDS = 400, 9


class Plane(Rig):
    """A control plane on the clock of a simulated account; `name` is its provider beside `rented`."""

    def __init__(
        self, database, folder, name, world=None, seed=1, between=lambda provider: provider
    ):
        self.world = world or RENTED[name](folder)
        signed = folder / "signed.pdf"
        signed.write_text("signed")
        self.name = name
        self.provider = between(self.world.connect(agreement_file=str(signed)))
        super().__init__(
            database,
            folder,
            seed=seed,
            more={name: self.provider},
            told={MANIFEST_VARIABLE: "0" * 64},
        )

    @property
    def time(self):
        return self.world.clock.at

    @time.setter
    def time(self, at):
        if at > self.time:  # a later process of the same installation starts at the time it is
            self.world.forward(seconds=(at - self.time).total_seconds())

    def until(self, wanted):
        for _ in range(STEPS_MAX):
            if wanted():
                return
            self.step()
            self.later(seconds=STEP_SECONDS)
        raise AssertionError(self.instance_states())

    def there(self):
        """Instances of the account, as the database has them, newest first."""
        found = self.read(lambda conn: instances.page(conn, TENANT, None, 100))
        return [one for one in found if one.provider == self.name]

    def states(self):
        return [one.state for one in self.there()]

    def boot(self):
        """The worker that the newest machine becomes of what it was told."""
        self.until(lambda: self.states()[:1] == ["booting"])
        return self.dial(decode(told(self.world.told()[-1])))

    def dial(self, spec):
        """A machine that does as its launch spec says, up to its admission."""
        worker = Worker(self, spec)
        [offer] = [one.offer for one in self.there() if one.id == spec.instance_id]
        gpus = [{"name": f"NVIDIA {offer['gpu']}", "vram_gib": offer["vram_gib"]}]
        worker.enrol()
        assert worker.admit(GOOD | {"facts": {"cores": 4, "gpus": gpus}}) == ()
        return worker
