"""``vpp device``: what there is to know of each kind of device, one page each."""

from collections.abc import Sequence
from pathlib import Path

ABOUT = """usage: vpp device
       vpp device KIND [--markdown FILE]
       vpp device --all FOLDER

Say what a kind of device is: its parameters with units, what is promised to its owner, state,
envelope and step, what it does when it is left alone, what a policy sees and commands of it, its
classes, how it is sampled, and where the numbers come from. Without a kind, all are listed.

  --markdown  write the page as Markdown; a file that exists is left alone
  --all       write all pages and a list of them, index.md, into a folder

  vpp device
  vpp device hvac
  vpp device hvac --markdown hvac.md
  vpp device --all pages

A page is made of the docstrings and comments of the code itself."""

_INDEX = "index.md"


def run(argv: Sequence[str]) -> int:
    """Run ``vpp device``."""
    from vpp_rl.cli.words import read_words

    if any(flag in argv for flag in ("-h", "--help")):
        print(ABOUT)
        return 0
    if not argv:
        return _list()
    every = any(word.partition("=")[0] == "--all" for word in argv)
    asked = read_words("device", argv, "" if every else "KIND", ("--markdown", "--all"))
    if every:
        return _write_all(asked)
    return _show(asked["KIND"], asked.get("--markdown"))


def _list() -> int:
    from vpp_rl.cli.console import console
    from vpp_rl.cli.pages.kinds import PAGES

    width = max(map(len, PAGES))
    for kind, page in PAGES.items():
        console().print(f"{kind:{width}}  {page().summary}")
    console().print("next: vpp device hvac")
    return 0


def _show(kind: str, file: str | None) -> int:
    from vpp_envs.errors import InputError
    from vpp_rl.cli.console import console
    from vpp_rl.cli.pages.kinds import PAGES
    from vpp_rl.cli.pages.page import markdown
    from vpp_rl.cli.pages.terminal import WholeMarkdown
    from vpp_rl.files import refuse_to_overwrite, write_text
    from vpp_rl.suggestion import did_you_mean

    if kind not in PAGES:
        raise InputError(
            f"there is no kind of device '{kind}'{did_you_mean(kind, PAGES)} (vpp device lists "
            "them)"
        )
    text = markdown(PAGES[kind]())
    if file is None:
        console().print(WholeMarkdown(text), soft_wrap=False)
        return 0
    path = Path(file)
    refuse_to_overwrite(path)
    write_text(path, text)
    console().print(f"wrote {path}")
    return 0


def _write_all(asked: dict[str, str]) -> int:
    from vpp_envs.errors import InputError
    from vpp_rl.cli.console import console
    from vpp_rl.cli.pages.kinds import PAGES
    from vpp_rl.cli.pages.page import markdown
    from vpp_rl.files import refuse_to_overwrite, write_text

    if "--markdown" in asked:
        raise InputError("vpp device --all names its files itself; take --markdown out.")
    folder = Path(asked["--all"])
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is no folder; name another one.")
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"{kind}.md" for kind in PAGES]
    for name in (*names, _INDEX):
        refuse_to_overwrite(folder / name)
    pages = {kind: page() for kind, page in PAGES.items()}
    for kind, page in pages.items():
        write_text(folder / f"{kind}.md", markdown(page))
    lines = [f"- [{page.title}]({kind}.md): {page.summary}" for kind, page in pages.items()]
    write_text(folder / _INDEX, "\n".join(["# Devices", "", *lines, ""]))
    console().print(f"wrote {len(pages)} pages and {_INDEX} to {folder}")
    return 0
