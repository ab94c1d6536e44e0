"""State as plain values, which `torch.load(weights_only=True)` reads, and back."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from vpp_envs.errors import InputError


def plain(value: Any) -> Any:  # noqa: ANN401 - whatever a state holds
    """Copy a value into tensors, lists and numbers.

    Args:
        value: A tensor, an array, a number, or a tuple or list of these; a `NamedTuple` will do.
    """
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value.copy())
    if isinstance(value, tuple | list):
        return [plain(part) for part in value]
    return value


def restored(value: Any, like: Any, name: str) -> Any:  # noqa: ANN401 - whatever a state holds
    """Copy what `plain` made back into what it was.

    Args:
        value: From `plain`.
        like: A value of the same kind, shape and precision, on the device to restore to.
        name: Of the value, for errors.

    Raises:
        InputError: The value is of another shape or precision, or only one of the two is none.
    """
    if (value is None) != (like is None):
        raise InputError(
            f"the state is of another environment: its {name} is {_presence(value)}, "
            f"here it is {_presence(like)}."
        )
    if isinstance(like, tuple | list):
        names = [f"{name}.{field}" for field in getattr(like, "_fields", ())] or [name] * len(like)
        parts = [restored(*each) for each in zip(value, like, names, strict=True)]
        return type(like)(*parts) if hasattr(like, "_fields") else type(like)(parts)
    if not isinstance(like, Tensor | np.ndarray):
        return value
    kind = torch.as_tensor(like)
    if (value.shape, value.dtype) != (kind.shape, kind.dtype):
        raise InputError(
            f"the state is of another environment: its {name} is {value.dtype} of shape "
            f"{tuple(value.shape)}, here it is {kind.dtype} of shape {tuple(kind.shape)}."
        )
    copy: Tensor = value.to(kind.device, copy=True)
    return copy if isinstance(like, Tensor) else copy.numpy()


def _presence(value: Any) -> str:  # noqa: ANN401 - whatever a state holds
    return "absent" if value is None else "present"
