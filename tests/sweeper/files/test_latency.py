import time

import numpy as np

from sweeper.files import latency


def test_the_first_answers_are_not_timed():
    answers = []

    def answer():
        answers.append(None)
        time.sleep(0.05 if len(answers) <= latency.WARM_UP else 0)

    assert latency.milliseconds(answer) < 25
    assert len(answers) == latency.WARM_UP + latency.CALLS


def test_slow_answers_are_timed_less_often(monkeypatch):
    monkeypatch.setattr(latency, "SECONDS", 0.05)
    answers = []

    def answer():
        answers.append(time.sleep(0.02))

    assert latency.milliseconds(answer) >= 20
    assert latency.WARM_UP < len(answers) <= latency.WARM_UP + 3


def test_few_images_fill_a_large_batch():
    images = np.arange(5, dtype=np.float32).reshape(5, 1, 1, 1)
    batches = []
    latency.of(lambda batch: batches.append(batch.ravel().tolist()), images, 7)
    assert batches[0] == [0, 1, 2, 3, 4, 0, 1]
