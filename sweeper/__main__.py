"""`python -m sweeper`: a sweep lets TensorFlow's import begin before all else, for nothing takes longer."""

import sys

from sweeper.engine import forkserver
from sweeper.machine import hardware

# As hydra.sweeper.executor.preload in conf/config.yaml, which is not composed yet.
PRELOAD = ("sweeper.training.lean", "sweeper.training.trial", "sweeper.training.trained")

ONLY_TOLD = {"-h", "--help", "--hydra-help", "--version", "-c", "--cfg", "-i", "--info"}  # nothing is trained


def main() -> None:
    typed = set(sys.argv)
    if typed & {"-m", "--multirun"} and not typed & ONLY_TOLD and not hardware.gpus():
        forkserver.begin(PRELOAD)
    from sweeper.app import main as run

    run()


if __name__ == "__main__":
    main()
