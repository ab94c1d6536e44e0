"""Words after a subcommand that is not composed by Hydra."""

from collections.abc import Callable, Mapping, Sequence

from vpp_envs.errors import InputError
from vpp_rl.suggestion import did_you_mean


def run_verb(
    command: str, verbs: Mapping[str, Callable[[Sequence[str]], int]], argv: Sequence[str]
) -> int:
    """Run the verb that the first word names, and return its exit code.

    Args:
        command: After ``vpp``.
        verbs: What each runs.
        argv: Verb and its words.

    Raises:
        InputError: There is no such verb.
    """
    verb, *words = argv
    if verb not in verbs:
        raise InputError(
            f"vpp {command} does not know '{verb}'{did_you_mean(verb, verbs)} "
            f"(vpp {command} --help)"
        )
    return verbs[verb](words)


def read_words(
    command: str, words: Sequence[str], names: str, keys: Sequence[str]
) -> dict[str, str]:
    """Read the words of one verb: positional ones by `names`, the rest as key=value or --key value.

    Args:
        command: That they belong to, such as "tariff bill".
        words: After it.
        names: Of the positional words, with a blank between.
        keys: That may be given, ``--`` in front where they have it.

    Raises:
        InputError: A word that the command does not know, a key without its value, or another
            number of positional words.
    """
    found: dict[str, str] = {}
    plain, left = [], list(words)
    while left:
        word = left.pop(0)
        key, equals, value = word.partition("=")
        if key in keys and (equals or key.startswith("-")):
            value = value if equals else (left.pop(0) if left else "")
            if not value:
                raise InputError(f"vpp {command}: {key} needs a value.")
            found[key] = value
        elif word.startswith("-") or equals:
            near = did_you_mean(key, keys)
            about = command.split()[0]
            raise InputError(f"vpp {command} does not know '{word}'{near} (vpp {about} --help)")
        else:
            plain.append(word)
    if len(plain) != len(names.split()):
        raise InputError(f"vpp {command} takes {names or 'nothing more'}, got {len(plain)}.")
    return {**found, **dict(zip(names.split(), plain, strict=True))}
