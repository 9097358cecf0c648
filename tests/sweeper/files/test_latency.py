import time

import numpy as np

from sweeper.files import latency


def test_the_first_answers_are_not_timed():
    answers = []

    def answer():
        answers.append(None)
        time.sleep(0.05 if len(answers) <= latency.WARM_UP else 0)

    assert latency.timed(answer).milliseconds < 25
    assert len(answers) == latency.WARM_UP + latency.CALLS


def test_slow_answers_are_timed_less_often(monkeypatch):
    monkeypatch.setattr(latency, "SECONDS", 0.05)
    answers = []

    def answer():
        answers.append(time.sleep(0.02))

    found = latency.timed(answer)
    assert found.milliseconds >= 20
    assert 1 <= found.calls <= 3


def test_an_answer_of_seconds_is_given_once_before_it_is_timed_once(monkeypatch):
    monkeypatch.setattr(latency, "SECONDS", 0.01)
    answers = []
    assert latency.timed(lambda: answers.append(time.sleep(0.02))).calls == 1
    assert len(answers) == 2


def test_few_images_fill_a_large_batch():
    images = np.arange(5, dtype=np.float32).reshape(5, 1, 1, 1)
    batches = []
    latency.of(lambda batch: batches.append(batch.ravel().tolist()), images, 7)
    assert batches[0] == [0, 1, 2, 3, 4, 0, 1]
