"""Markdown in a terminal, however narrow, without a word cut short."""

from typing import ClassVar

from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import Markdown, MarkdownElement, TableElement
from rich.table import Table


class _WholeTable(TableElement):
    """A table whose first column keeps its names on one line and whose others fold."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Build the table of rich, and change how it treats what is too long."""
        for table in super().__rich_console__(console, options):
            if isinstance(table, Table):
                for index, column in enumerate(table.columns):
                    column.overflow = "fold"
                    column.no_wrap = index == 0
            yield table


class WholeMarkdown(Markdown):
    """Markdown that is shown whole."""

    elements: ClassVar[dict[str, type[MarkdownElement]]] = {
        **Markdown.elements,
        "table_open": _WholeTable,
    }
