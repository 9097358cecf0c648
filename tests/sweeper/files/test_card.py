import pytest
import yaml

from sweeper.errors import DataError
from sweeper.files import card
from sweeper.files.card import Card

CARD = Card(
    model="custom",
    dataset="folder",
    classes=("crème brûlée", "no", "7"),
    input_shape=(32, 48, 3),
    mean=(125.3, 123.0, 113.9),
    std=(63.0, 62.1, 66.7),
    metric="val_accuracy",
    value=0.8912345678901234,
    parameters=309290,
    run_id="0123456789",
    trial="2026-11-23_18-40-59/7",
)


def test_a_card_is_read_as_it_was_written(tmp_path):
    CARD.write(tmp_path)
    assert card.read(tmp_path) == CARD


def test_a_card_is_plain_yaml_for_other_programs(tmp_path):
    CARD.write(tmp_path)
    plain = yaml.safe_load((tmp_path / "model.yaml").read_text(encoding="utf-8"))
    assert plain["classes"] == ["crème brûlée", "no", "7"]
    assert plain["input_shape"] == [32, 48, 3]
    assert "crème" in (tmp_path / "model.yaml").read_text(encoding="utf-8")


def test_a_card_of_a_trial_that_was_not_exported_yet_is_read(tmp_path):
    CARD.write(tmp_path)
    lines = (tmp_path / "model.yaml").read_text(encoding="utf-8").splitlines()
    (tmp_path / "model.yaml").write_text("\n".join(line for line in lines if not line.startswith(("run_id", "trial"))))
    assert (card.read(tmp_path).run_id, card.read(tmp_path).trial) == (None, None)


def test_without_a_file_there_is_no_card(tmp_path):
    with pytest.raises(FileNotFoundError):
        card.read(tmp_path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"classes: [a, b", "expected ',' or ']'"),
        (b"", "no mapping"),
        (b"- custom\n", "no mapping"),
        (b"model: custom\n", "no dataset"),
        (b"colour: red\n", "unknown .colour."),
        (b"\xff\xfe", "codec can't decode"),
        (b"!!python/object/apply:os.getcwd []\n", "could not determine a constructor"),
    ],
)
def test_a_damaged_card_is_an_error_that_names_the_file(content, reason, tmp_path):
    (tmp_path / "model.yaml").write_bytes(content)
    with pytest.raises(DataError, match=rf"(?s)model.yaml is damaged: .*{reason}.*Export the network again"):
        card.read(tmp_path)
