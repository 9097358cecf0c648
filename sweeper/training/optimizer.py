"""Optimizers that Keras has not, or not for convolutional networks. None of them ends up in an exported file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops


class Adam(keras.optimizers.Adam):
    """Adam on the loss plus `l2` times the sum of squares of the kernels: the steps of kernel_regularizer=L2(l2).

    The losses that are reported leave the penalty out, so that they can be compared whatever its weight.
    The penalty is scaled by Adam's step sizes like any gradient; AdamW's decay is not (Loshchilov and Hutter 2019,
    arXiv:1711.05101).
    """

    def __init__(self, learning_rate: Any = 1e-3, *, l2: float = 0.0, **keys: Any):
        super().__init__(learning_rate, **keys)
        self.l2 = l2

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Any] | None = None) -> None:
        variables = self._trainable_variables if trainable_variables is None else list(trainable_variables)
        penalized = [
            grad + 2 * self.l2 * ops.cast(variable, grad.dtype) if self._use_weight_decay(variable) else grad
            for grad, variable in zip(grads, variables, strict=True)
        ]
        super().apply(penalized, trainable_variables)


class Muon(keras.optimizers.Muon):
    """Muon that takes a convolution's kernel (height, width, in, out) as a matrix (height * width * in, out).

    AdamW moves the rest: biases, batch norm, depthwise kernels (no matrices) and the classifier.
    Source: Jordan 2024, https://kellerjordan.github.io/posts/muon; its step size is Liu et al. 2025, arXiv:2502.16982.
    """

    def build(self, variables: Sequence[Any]) -> None:
        kernels = [variable for variable in variables if len(variable.shape) >= 2]
        self._classifier = kernels[-1].path if kernels else None
        super().build(variables)

    def _should_use_adamw(self, variable: Any) -> bool:
        return len(variable.shape) < 2 or "depthwise" in variable.path or variable.path == self._classifier

    def zeropower_via_newtonschulz5(self, x: Any, steps: int) -> Any:
        return ops.reshape(super().zeropower_via_newtonschulz5(_as_matrix(x), steps), x.shape)

    def lr_adjust(self, x: Any) -> Any:
        return ops.reshape(super().lr_adjust(_as_matrix(x)), x.shape)


class ScheduleFreeAdamW(keras.optimizers.ScheduleFreeAdamW):
    """Keras' one trains at the points y and has no way to the average x, which the method is to be judged at.

    Source: Defazio et al. 2024, arXiv:2405.15682, where y = (1 - beta_1) z + beta_1 x and Keras keeps z as `momentum`.
    All steps count the same in x; the paper's count by their squared learning rate, which is the same where it is flat.
    """

    averages = True  # the weights in the network are not the ones to judge, keep and save

    def finalize_variable_values(self, var_list: Sequence[Any]) -> None:
        """Moves the variables from y to x."""
        for variable in var_list:
            z = self._momentums[self._get_variable_index(variable)]
            variable.assign((variable - (1 - self.beta_1) * z) / self.beta_1)

    def _apply_weight_decay(self, variables: Sequence[Any]) -> None:
        """Of z, by what stands at y; x stays. Keras' own would take it all from x, and z would run away from zero."""
        if self.weight_decay is None:
            return
        climbed = ops.minimum(ops.cast(self.iterations + 1, "float32") / max(1, self.warmup_steps), 1.0)
        share = self.learning_rate * climbed * self.weight_decay
        for variable in filter(self._use_weight_decay, variables):
            decay = ops.cast(share, variable.dtype) * variable
            self.assign_sub(self._momentums[self._get_variable_index(variable)], decay)
            self.assign_sub(variable, (1 - self.beta_1) * decay)


def _as_matrix(kernel: Any) -> Any:
    return ops.reshape(kernel, (-1, kernel.shape[-1]))
