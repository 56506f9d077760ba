"""The simulated provider of the control plane's own tests, held to what the real ones promise."""

from tests.control.rig import Rented


class SimulatedWorld:
    """What is rented stays when the process that rented it does not."""

    def __init__(self, folder):
        self.rented = Rented()

    def connect(self, **settings):
        return Rented(running=self.rented.running, specs=self.rented.specs)

    def forward(self, **time):
        """Nothing here needs time to show."""

    def wait_gone(self, seen):
        """It is gone at once."""

    def clean(self, prefix):
        """Nothing outlives the test."""
