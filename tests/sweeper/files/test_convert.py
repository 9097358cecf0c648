import math
from dataclasses import replace

import pytest

from sweeper.errors import ConfigError
from sweeper.files import convert, formats
from sweeper.files.convert import Converted

RIGHT = Converted("onnx", "model.onnx", 1000, 1e-6, 1.0, 500, 0.1, 1.0, "a machine")


@pytest.mark.parametrize(
    ("format", "changes"),
    [
        (formats.ONNX, {}),
        (formats.ONNX, {"agreement": 0.9}),  # two classes that are equal but for rounding
        (formats.TFLITE_INT8, {"difference": 0.2}),
        (formats.TFLITE_INT8, {"agreement": 0.95}),
    ],
)
def test_an_exact_file_is_judged_by_its_probabilities_and_a_rounded_one_by_its_classes(format, changes):
    convert.check(replace(RIGHT, **changes), format, 0.95)


@pytest.mark.parametrize(
    ("format", "changes", "message"),
    [
        (formats.ONNX, {"difference": 2e-4}, "as onnx differs from the original by 0.0002 .* more than 0.0001"),
        (formats.ONNX, {"difference": math.nan}, "by nan"),
        (formats.TFLITE_INT8, {"difference": math.nan}, "as tflite-int8 differs .* by nan"),
        (formats.TFLITE_FLOAT16, {"agreement": 0.948}, "gives 94.8% of 500 .* than 95.0%: .* --min-agreement 0.94$"),
    ],
)
def test_a_file_beyond_its_bound_is_refused_with_what_was_measured(format, changes, message):
    with pytest.raises(ConfigError, match=message):
        convert.check(replace(RIGHT, **changes), format, 0.95)
