"""What the source says about itself: docstrings, comments of fields, and the sources it names.

A field's meaning and unit stand in its comment and nowhere else, so that whoever shows them reads
the file: the comment on the field's own lines, or without one that on the lines before it.
"""

import ast
import inspect
import io
import re
import textwrap
import tokenize
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import NamedTuple, get_args, get_type_hints

_UNIT = re.compile(r"^(.*?)[\s,]*\[([^\[\]]*)\]\.?$", re.DOTALL)
_NAMES = re.compile(r"\w+(, \w+)*")
_SECTION = re.compile(r"^(Args|Returns|Raises|Yields):$", re.MULTILINE)
# Who is cited in this code, and how it says that nobody is.
_SOURCE = re.compile(
    r"NREL|OCHRE|GridLAB-D|PVWatts|Sandia|SAND\d|doi:|IEEE|ASTM|BLAST|et al|EVI-Pro"
    r"|Building America|published|data sheet|CTA-2045|assumption|assumed"
)


class Note(NamedTuple):
    """What is said about a field or an argument."""

    name: str
    meaning: str  # empty: nothing is said
    unit: str  # empty: it has none


def field_notes(owner: type) -> tuple[Note, ...]:
    """Read the comments of the fields of a `NamedTuple` or a dataclass, in order.

    A field without a comment that holds another `NamedTuple` means what that one is.

    Args:
        owner: The class, whose source must be at hand.
    """
    source = textwrap.dedent(inspect.getsource(owner))
    comments = _comments(source)
    body = next(node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)).body
    notes = []
    for node in body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
            own = [comments[i].text for i in lines if i in comments]
            said = own or _above(node.lineno, comments)
            note = _note(node.target.id, " ".join(said))
            notes.append(note if note.meaning else _of_type(owner, note))
    return tuple(notes)


def docstring_text(thing: ModuleType | type | Callable[..., object]) -> str:
    """Docstring of a module, class or function up to its sections (``Args:`` and so on).

    Args:
        thing: With a docstring.
    """
    return _SECTION.split(inspect.getdoc(thing) or "")[0].strip()


def argument_note(function: Callable[..., object], name: str) -> Note:
    """What the section ``Args:`` of a function says about one argument.

    Args:
        function: With a docstring in Google's form.
        name: Of the argument.
    """
    text = inspect.getdoc(function) or ""
    found = re.search(rf"^    {name}: (.*(?:\n     +.*)*)", text, re.MULTILINE)
    return _note(name, " ".join(found[1].split()) if found else "")


def sources_named(module: ModuleType, constants: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Paragraphs of docstrings and comments that name a source or an assumption, in order.

    Args:
        module: Whose file is read.
        constants: Read the comments of these alone; none: the whole file.
    """
    source = inspect.getsource(module)
    said = [*([] if constants else _paragraphs(ast.parse(source))), *_remarks(source, constants)]
    return tuple(dict.fromkeys(text for text in said if _SOURCE.search(text)))


class _Comment(NamedTuple):
    text: str
    alone: bool  # nothing else stands on its line
    of: str  # what stands before it, up to = or :


def _comments(source: str) -> dict[int, _Comment]:
    """Comments by line, from 1."""
    found = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            before = token.line[: token.start[1]].strip()
            name = re.split(r"[:=]", before)[0].strip()
            found[token.start[0]] = _Comment(token.string.lstrip("# ").strip(), not before, name)
    return found


def _above(line: int, comments: dict[int, _Comment]) -> list[str]:
    """Comment lines that end right before a line."""
    said: list[str] = []
    while (comment := comments.get(line - 1)) is not None and comment.alone:
        said.insert(0, comment.text)
        line -= 1
    return said


def _note(name: str, text: str) -> Note:
    parts = _UNIT.match(text)
    return Note(name, *((parts[1].strip(), parts[2]) if parts else (text, "")))


def _of_type(owner: type, note: Note) -> Note:
    """Take the meaning of a field from the docstring of the `NamedTuple` that it holds."""
    hint = get_type_hints(owner)[note.name]
    for kind in (hint, *get_args(hint)):
        if isinstance(kind, type) and hasattr(kind, "_fields"):
            return note._replace(meaning=docstring_text(kind).split("\n\n")[0])
    return note


def _paragraphs(tree: ast.Module) -> Iterator[str]:
    """Paragraphs of prose in all docstrings of a module, each as one line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            text = _SECTION.split(ast.get_docstring(node) or "")[0]
            for paragraph in text.split("\n\n"):
                if not paragraph.startswith(" "):  # a table or an equation
                    yield " ".join(paragraph.split())


def _remarks(source: str, constants: tuple[str, ...]) -> Iterator[str]:
    """Comments of a module: lines in a row as one, those behind code with what they belong to."""
    comments, lines = _comments(source), source.splitlines()
    for line, comment in comments.items():
        follows = lines[line] if line < len(lines) else ""
        if not comment.alone:
            if not constants or comment.of in constants:
                yield (
                    f"`{comment.of}`: {comment.text}"
                    if _NAMES.fullmatch(comment.of)
                    else comment.text
                )
        elif not (line + 1 in comments and comments[line + 1].alone):
            name = re.split(r"[:=]", follows)[0].strip()
            if not constants or name in constants:
                yield " ".join(_above(line + 1, comments))
