"""Read the code of a TorchScript archive before it is loaded: it may only compute.

TorchScript carries no Python pickle code, but a scripted function can read and write files, and
a scripted ``__setstate__`` does so while it loads. Its text is a subset of Python, so it is parsed
and every name in it is held against a list: what is not on a list is refused, whatever it is.
"""

import ast
import re
import zipfile
import zlib
from pathlib import Path

from vpp_envs.errors import InputError

MOST_BYTES = 64 * 2**20
# What torch itself writes into an archive; the first folder is the archive's name.
_MEMBER = re.compile(
    r"[^/]+/(data\.pkl|constants\.pkl|version|byteorder|(data|constants)/\d+"
    r"|\.data/(serialization_id|version)|extra/metadata\.json"
    r"|code/__torch__(/\w+)*\.py(\.debug_pkl)?)"
)
# Serialised code has no comments, escapes or quotes within quotes. Without them, Python and
# TorchScript split a text into the same words.
_TEXT = re.compile(r'[\w \n(),.:=>/"\[\]-]*', re.ASCII)
_SYNTAX = (
    *(ast.Module, ast.ClassDef, ast.FunctionDef, ast.arguments, ast.arg, ast.Return),
    *(ast.Assign, ast.AnnAssign, ast.Expr, ast.If, ast.Pass, ast.For, ast.Call, ast.keyword),
    *(ast.Name, ast.Attribute, ast.Subscript, ast.Constant, ast.Tuple, ast.List),
    *(ast.UnaryOp, ast.USub, ast.Load, ast.Store),
)
# Operators that controllers use: arithmetic, indexing and comparison of tensors.
# fmt: off
_OPERATORS = frozenset(f"torch.{name}" for name in (
    "__and__", "__derive_index", "__is__", "__isnot__", "__or__", "__range_length", "abs", "add",
    "add_", "all", "any", "append", "arange", "asinh", "bitwise_not", "bucketize", "cat", "clamp",
    "clone", "contiguous", "cos", "cumsum", "detach", "dim", "div", "eq", "exp", "expand",
    "expand_as", "expm1", "flatten", "floor", "floor_divide", "floordiv", "full_like", "gather",
    "ge", "gt", "index", "index_select", "isfinite", "isnan", "le", "len", "lerp", "linear",
    "linspace", "log", "logical_and", "logical_not", "lt", "matmul", "max", "maximum", "mean",
    "min", "minimum", "mul", "ne", "neg", "ones", "ones_like", "reciprocal", "relu", "remainder",
    "reshape", "rsub", "scatter", "select", "sigmoid", "sin", "size", "slice", "sort", "sqrt",
    "square",
    "squeeze", "stack", "sub", "sum", "tanh", "tensor", "to", "transpose", "unflatten", "unsqueeze",
    "view", "where", "zeros", "zeros_like",
)) | {"ops.prim", "ops.prim.device", "ops.prim.dtype", "ops.prim.min", "ops.prim.max"}
# Methods and attributes of the controller, its cars and its network.
_ATTRIBUTES = frozenset((
    "_answer", "_read", "bias", "body", "by_curve", "cars", "cohort_of_class", "consistent",
    "curves", "discharges", "dt_h", "durations_h", "fleet", "forward", "head", "high", "low",
    "mean", "moment", "no_car", "normalise", "one_way_effs", "policy", "price_scale", "scale",
    "squash", "ticks_per_issue", "unknown_kw", "wears_per_kwh", "weight", "weights",
))
_BUILTINS = frozenset((
    "Final", "List", "Module", "NamedTuple", "NoneType", "Optional", "Tensor", "Tuple",
    "__annotations__", "__torch__", "annotate", "bool", "float", "getattr", "int", "ops", "range",
    "torch", "unchecked_cast", "uninitialized",
))
# TorchScript's own words that do more than compute; a variable may not hide behind them.
_SPECIAL = frozenset((
    "CONSTANTS", "awaitable", "fork", "print", "rpc_async", "rpc_remote", "rpc_sync",
))
# fmt: on
_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, OSError, EOFError),
    *(RuntimeError, NotImplementedError, UnicodeDecodeError),  # encrypted, odd packing, no text
)


def vet(path: Path) -> None:
    """Check a TorchScript archive without loading it.

    Raises:
        InputError: It is damaged, too large, or its code does more than compute.
    """
    if path.stat().st_size > MOST_BYTES:
        raise InputError(f"{path} is larger than {MOST_BYTES:,} bytes: that is no controller.")
    for name, text in _texts(path).items():
        fault = _fault(text)
        if fault:
            raise InputError(f"{path}: {name} {fault}, which no controller needs: do not use it.")


def _texts(path: Path) -> dict[str, str]:
    """Code of an archive by member; refuses members that torch does not write."""
    texts = {}
    try:
        with zipfile.ZipFile(path) as archive:
            fault = _members_fault(archive.infolist())
            if not fault:
                names = [name for name in archive.namelist() if name.endswith(".py")]
                texts = {name: archive.read(name).decode() for name in names}
    except _DAMAGE:
        raise InputError(f"{path} is truncated or no TorchScript file: export it again.") from None
    if fault:
        raise InputError(f"{path}: {fault}: do not use it.")
    if not texts:
        raise InputError(f"{path} holds no TorchScript code: export it again.")
    return texts


def _members_fault(members: list[zipfile.ZipInfo]) -> str:
    """What is wrong with the table of contents, or ``""``: strangers, twins, too much."""
    names = [member.filename for member in members]
    for name in names:
        # Of two members with one name, this reader and torch's might each take another.
        if not _MEMBER.fullmatch(name) or names.count(name) > 1:
            return f"member '{name}' belongs to no controller"
    if sum(member.file_size for member in members) > MOST_BYTES:
        return f"it unpacks to more than {MOST_BYTES:,} bytes"
    return ""


def _fault(text: str) -> str:
    """What a module's code does beyond computing, or ``""``."""
    if not _TEXT.fullmatch(text) or '"""' in text:
        return "holds characters that torch does not write"
    # Layers of a sequence are numbered; any other name would slip past the list of attributes.
    if text.count("getattr") != len(re.findall(r'\bgetattr\(\w+, "\d+"\)', text)):
        return "calls getattr"
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return "cannot be parsed"
    nodes = list(ast.walk(tree))
    stores = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    own = stores | {n.arg for n in nodes if isinstance(n, ast.arg)}
    known = (own - _SPECIAL) | _BUILTINS
    return next(filter(None, (_node_fault(node, known) for node in nodes)), "")


def _node_fault(node: ast.AST, known: set[str]) -> str:
    """What one node does beyond computing, or ``""``."""
    if not isinstance(node, _SYNTAX):
        return f"has a {type(node).__name__}"
    if isinstance(node, ast.FunctionDef) and node.name.startswith("__") and node.name != "__len__":
        return f"defines {node.name}"
    if isinstance(node, ast.Name) and node.id not in known:
        return f"uses {node.id}"
    if isinstance(node, ast.Attribute) and not _is_allowed(node):
        return f"calls {node.attr}"
    return ""


def _is_allowed(node: ast.Attribute) -> bool:
    """Whether a dotted name is on the lists."""
    dotted = ast.unparse(node)
    root = dotted.partition(".")[0]
    if root == "__torch__":
        # The archive's own functions, vetted like this one; but torch's native classes are not.
        return not dotted.startswith("__torch__.torch.classes")
    if root in ("torch", "ops"):
        return dotted in _OPERATORS
    return node.attr in _ATTRIBUTES
