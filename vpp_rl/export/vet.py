"""Read the code of a TorchScript archive before it is loaded: it may only compute.

TorchScript carries no Python pickle code, but a scripted function can read and write files, and
a scripted ``__setstate__`` does so while it loads. So the operators are held against a list.
"""

import re
import zipfile
from pathlib import Path

from vpp_envs.errors import InputError

MOST_BYTES = 64 * 2**20
# Operators that our own controllers use: arithmetic, indexing and comparison of tensors.
# fmt: off
ALLOWED = frozenset((
    "__and__", "__contains__", "__derive_index", "__getitem__", "__isnot__", "__or__",
    "__range_length", "_cast_Double", "abs", "acos", "add", "add_", "all", "any", "append",
    "arange", "as_tensor", "asinh", "bitwise_not", "bucketize", "cat", "clamp", "clone",
    "contiguous", "cos", "detach", "device", "dim", "div", "eq", "exp", "expand",
    "expand_as", "flatten",
    "floor", "floor_divide", "floordiv", "full", "full_like", "gather", "ge", "gt",
    "index_select", "isfinite", "isnan", "le", "len", "lerp", "linear", "linspace",
    "logical_and", "logical_not", "lt", "matmul", "max", "maximum", "mean", "min", "minimum",
    "mul", "ne", "neg", "ones", "ones_like", "reciprocal", "relu", "remainder", "reshape",
    "rsub", "select",
    "select_", "sigmoid", "sin", "size", "slice", "sqrt", "square", "squeeze", "stack", "sub",
    "sum", "t", "tanh", "tensor", "to", "transpose", "unflatten", "unsqueeze", "view", "where",
    "zeros", "zeros_like",
))
# fmt: on
_OPERATOR = re.compile(r"\b(?:torch|ops\.[a-z_]+)\.([A-Za-z_][A-Za-z_0-9]*)\(")
_HARMLESS = frozenset({"nn", "jit", "annotate", "unchecked_cast", "dtype", "layout"})


def vet(path: Path) -> None:
    """Check a TorchScript archive without loading it.

    Raises:
        InputError: It is damaged, too large, or its code does more than compute.
    """
    if path.stat().st_size > MOST_BYTES:
        raise InputError(f"{path} is larger than {MOST_BYTES} bytes: that is no controller.")
    try:
        with zipfile.ZipFile(path) as archive:
            names = [n for n in archive.namelist() if "/code/" in n and n.endswith(".py")]
            texts = {name: archive.read(name).decode() for name in names}
    except (zipfile.BadZipFile, OSError, UnicodeDecodeError):
        raise InputError(f"{path} is truncated or no TorchScript file: export it again.") from None
    if not texts:
        raise InputError(f"{path} holds no TorchScript code: export it again.")
    for name, text in texts.items():
        if "__setstate__" in text:
            raise InputError(f"{path}: {name} runs code while it loads: do not use this file.")
        for operator in _OPERATOR.findall(text):
            if operator not in ALLOWED and operator not in _HARMLESS:
                raise InputError(
                    f"{path}: {name} calls {operator}, which no controller needs: do not use it."
                )
