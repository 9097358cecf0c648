"""`python -m sweeper`: a sweep lets TensorFlow's import begin before all else, for nothing takes longer."""

import sys

from sweeper import forkserver, machine

PRELOAD = ("sweeper.trial", "sweeper.fit")  # as hydra.sweeper.executor.preload in conf/config.yaml, not composed yet


def main() -> None:
    if {"-m", "--multirun"} & set(sys.argv) and not machine.gpus():
        forkserver.begin(PRELOAD)
    from sweeper.app import main as run

    run()


if __name__ == "__main__":
    main()
