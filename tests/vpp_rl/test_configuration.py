import dataclasses
from pathlib import Path
from typing import Literal

import pytest

from vpp_envs.errors import InputError
from vpp_rl import configuration
from vpp_rl.configuration import build, compose, config_dir


@pytest.fixture
def packaged(tmp_path, monkeypatch):
    """A small packaged configuration: one primary, two agents, one market."""
    folder = tmp_path / "packaged"
    files = {
        "train.yaml": "defaults: [{agent: apg}, {market: sa1}, _self_]\nseed: 0\n",
        "agent/apg.yaml": "name: apg\nlearning_rate: 0.1\nhidden: [64, 64]\n",
        "agent/ppo.yaml": "name: ppo\nn_steps: 96\n",
        "market/sa1.yaml": "prices: null\n",
    }
    write(folder, files)
    monkeypatch.setattr(configuration, "config_dir", lambda: folder)
    return folder


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def refusal(*overrides: str, name: str = "train", config_dirs: tuple[Path, ...] = ()) -> str:
    with pytest.raises(InputError) as caught:
        compose(name, overrides, config_dirs)
    return str(caught.value)


def test_checkout_configuration_is_found_beside_the_package(tmp_path, monkeypatch):
    (tmp_path / "configs").mkdir()
    monkeypatch.setattr(configuration, "__file__", str(tmp_path / "vpp_rl" / "configuration.py"))
    assert config_dir() == tmp_path / "configs"


def test_packaged_configuration_comes_before_one_beside_the_package(tmp_path, monkeypatch):
    (tmp_path / "configs").mkdir()
    (tmp_path / "vpp_rl" / "configs").mkdir(parents=True)
    monkeypatch.setattr(configuration, "__file__", str(tmp_path / "vpp_rl" / "configuration.py"))
    assert config_dir() == tmp_path / "vpp_rl" / "configs"


def test_installation_without_configuration_is_refused_with_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(configuration, "__file__", str(tmp_path / "vpp_rl" / "configuration.py"))
    with pytest.raises(InputError, match=r"no folder 'configs' in .*: install vpp-rl again"):
        config_dir()


@pytest.mark.usefixtures("packaged")
class TestCompose:
    def test_overrides_choose_groups_and_set_values(self):
        cfg = compose("train", ["agent=ppo", "agent.n_steps=48", "seed=3"])
        assert cfg == {
            "agent": {"name": "ppo", "n_steps": 48},
            "market": {"prices": None},
            "seed": 3,
        }

    def test_quoted_value_keeps_its_special_characters(self):
        cfg = compose("train", ['market.prices="/a b/P(1),x=2.csv"'])
        assert cfg.market.prices == "/a b/P(1),x=2.csv"

    def test_interpolation_arrives_resolved(self):
        assert compose("train", ["agent.name=${seed}", "seed=7"]).agent.name == 7

    def test_compositions_do_not_leak_into_each_other(self):
        compose("train", ["seed=3"])
        assert compose("train").seed == 0

    @pytest.mark.parametrize(
        ("override", "sentence"),
        [
            ("agent=pp", "agent has no option 'pp'; did you mean 'ppo'? (agent may be apg, ppo)"),
            ("agent=xyz", "agent has no option 'xyz' (agent may be apg, ppo)"),
            ("agent=null", "agent has no option 'None' (agent may be apg, ppo)"),
            (
                "agnt=ppo",
                "train has no key 'agnt'; did you mean 'agent'? (train has agent, market, seed)",
            ),
            (
                "agent.learning_rat=1",
                "train has no key 'agent.learning_rat'; did you mean 'agent.learning_rate'? "
                "(agent has name, learning_rate, hidden)",
            ),
            (
                "learning_rate=1",
                "train has no key 'learning_rate'; did you mean 'agent.learning_rate'? "
                "(train has agent, market, seed)",
            ),
            (
                "market.prices.file=1",
                "train has no key 'market.prices.file'; did you mean 'market.prices'? "
                "(market.prices has no keys of its own)",
            ),
            (
                "~sed",
                "train has no key 'sed'; did you mean 'seed'? (train has agent, market, seed)",
            ),
            ("+seed=1", "train has the key 'seed' already: drop the + in front of it"),
            ("+agent=ppo", "train has the key 'agent' already: drop the + in front of it"),
            (
                "agent=apg,ppo",
                "the override 'agent=apg,ppo' holds several values: give one, "
                "or write a list as key=[first,second]",
            ),
            ("seed=???", "train needs a value for 'seed': add seed=..."),
            ("seed=${sede}", "train.seed: Interpolation key 'sede' not found"),
        ],
    )
    def test_wrong_override_gets_one_sentence(self, override, sentence):
        assert refusal(override) == sentence

    @pytest.mark.parametrize("override", ["seed", "seed=[1", "a=b=c", "=3", "--jobs", "f=P(1).csv"])
    def test_unreadable_override_gets_one_sentence_with_the_way_to_quote(self, override):
        sentence = refusal("seed=1", override)
        assert sentence.startswith(f"cannot read the override '{override}': write key=value, and ")
        assert "\n" not in sentence

    def test_key_of_another_option_is_unknown_under_the_chosen_one(self):
        sentence = refusal("agent=ppo", "agent.learning_rate=1")
        assert sentence.endswith("(agent has name, n_steps)")

    def test_second_override_is_the_one_blamed_when_the_first_is_right(self):
        assert "'agent.nme'" in refusal("agent.name=x", "agent.nme=y")

    def test_unknown_configuration_is_refused(self):
        assert refusal(name="trane") == "there is no configuration 'trane'; did you mean 'train'?"

    def test_folder_of_the_user_adds_options(self, tmp_path):
        own = write(tmp_path / "it's mine", {"agent/small.yaml": "name: apg\nlearning_rate: 9\n"})
        assert compose("train", ["agent=small"], [own]).agent.learning_rate == 9
        assert "apg, ppo, small" in refusal("agent=smalll", config_dirs=(own,))

    def test_two_folders_of_the_user_add_up(self, tmp_path):
        first = write(tmp_path / "1", {"agent/a.yaml": "x: 1\n"})
        second = write(tmp_path / "2", {"market/b.yaml": "y: 2\n"})
        cfg = compose("train", ["agent=a", "market=b"], [first, str(second)])
        assert cfg == {"agent": {"x": 1}, "market": {"y": 2}, "seed": 0}

    def test_folder_of_the_user_may_not_replace_a_packaged_file(self, tmp_path):
        own = write(tmp_path / "own", {"agent/apg.yaml": "name: other\n"})
        assert refusal(config_dirs=(own,)) == (
            f"{own / 'agent' / 'apg.yaml'} has the name of a configuration that exists already: "
            "rename it"
        )

    def test_missing_folder_of_the_user_is_named(self, tmp_path):
        gone = tmp_path / "gone"
        assert refusal(config_dirs=(gone,)).startswith(f"--config-dir {gone} is not a folder")

    def test_faulty_yaml_is_named_with_its_line(self, tmp_path):
        own = write(tmp_path / "own", {"agent/bad.yaml": "name: apg\nhidden: [64, 64\n"})
        sentence = refusal("agent=bad", config_dirs=(own,))
        assert sentence.startswith(f"{own / 'agent' / 'bad.yaml'} line 3 is not valid YAML: ")
        assert "\n" not in sentence

    def test_missing_default_in_a_file_of_the_user_is_named(self, tmp_path):
        own = write(tmp_path / "own", {"agent/child.yaml": "defaults: [parent]\n"})
        assert "'agent/parent'" in refusal("agent=child", config_dirs=(own,))


@dataclasses.dataclass(frozen=True)
class Net:
    width: int
    activation: Literal["tanh", "relu"] = "tanh"


@dataclasses.dataclass(frozen=True)
class Agent:
    name: str
    learning_rate: float = 1e-3
    steps: int = 10
    clip: float | None = None
    compiled: bool = False
    hidden: tuple[int, ...] = (64, 64)
    days: tuple[int, str] = (1, "train")
    weights: dict[str, float] = dataclasses.field(default_factory=dict)
    prices: Path | None = None
    budget: int | str = 1
    net: Net = Net(8)


class TestBuild:
    def test_every_kind_of_field_arrives_as_annotated(self):
        agent = build(
            "agent",
            {
                "name": "apg",
                "learning_rate": 1,
                "steps": 1e6,
                "clip": 2,
                "compiled": True,
                "hidden": [32],
                "days": [3, "test"],
                "weights": {"profit": 1},
                "prices": "a/b.csv",
                "budget": "fast",
                "net": {"width": 4, "activation": "relu"},
            },
            Agent,
        )
        assert agent == Agent(
            "apg", 1.0, 1_000_000, 2.0, True, (32,), (3, "test"), {"profit": 1.0}, Path("a/b.csv"),
            "fast", Net(4, "relu"),
        )  # fmt: skip
        assert type(agent.learning_rate) is float
        assert type(agent.steps) is int

    @pytest.mark.usefixtures("packaged")
    def test_composed_configuration_builds_as_it_is(self):
        values = compose("train").agent
        assert build("agent", values, Agent) == Agent("apg", 0.1, hidden=(64, 64))

    @pytest.mark.parametrize(
        ("values", "sentence"),
        [
            ({"nme": "x"}, "agent has no key 'nme'; did you mean 'name'? (agent has name, "),
            ({"_target_": "os.system"}, "agent has no key '_target_' (agent has name, "),
            ({"name": 3}, "agent.name must be text (in quotes if it looks like a number), got 3"),
            ({"name": None}, "agent.name must be text (in quotes if it looks like a number), got"),
            ({"steps": 1.5}, "agent.steps must be a whole number, got 1.5"),
            ({"steps": True}, "agent.steps must be a whole number, got True"),
            ({"steps": "10"}, "agent.steps must be a whole number, got '10'"),
            ({"learning_rate": "fast"}, "agent.learning_rate must be a number, got 'fast'"),
            ({"learning_rate": float("nan")}, "agent.learning_rate must be a number, got nan"),
            ({"learning_rate": False}, "agent.learning_rate must be a number, got False"),
            ({"clip": "none"}, "agent.clip must be a number, got 'none'"),
            ({"compiled": 1}, "agent.compiled must be true or false, got 1"),
            ({"hidden": 64}, "agent.hidden must be a list in square brackets, got 64"),
            ({"hidden": "64"}, "agent.hidden must be a list in square brackets, got '64'"),
            ({"hidden": [64, "x"]}, "agent.hidden[1] must be a whole number, got 'x'"),
            ({"days": [1]}, "agent.days must be a list of 2, got [1]"),
            ({"weights": 1}, "agent.weights must be a mapping of keys to values, got 1"),
            ({"weights": {"profit": "x"}}, "agent.weights.profit must be a number, got 'x'"),
            ({"prices": 3}, "agent.prices must be the path of a file or folder, got 3"),
            ({"prices": ""}, "agent.prices must be the path of a file or folder, got ''"),
            ({"budget": 1.5}, "agent.budget must be int or str, got 1.5"),
            ({"net": 3}, "agent.net must be a mapping of keys to values, got 3"),
            ({"net": {"wdth": 3}}, "agent.net has no key 'wdth'; did you mean 'width'?"),
            ({"net": {}}, "agent.net needs a value for 'width': add agent.net.width=..."),
            (
                {"net": {"width": 3, "activation": "tanhh"}},
                "agent.net.activation must be one of 'tanh', 'relu', got 'tanhh'",
            ),
        ],
    )
    def test_wrong_value_gets_a_sentence_that_names_the_key(self, values, sentence):
        with pytest.raises(InputError) as caught:
            build("agent", {"name": "apg"} | values, Agent)
        assert str(caught.value).startswith(sentence)

    def test_what_the_dataclass_refuses_passes_through(self):
        @dataclasses.dataclass(frozen=True)
        class Positive:
            value: float

            def __post_init__(self):
                if self.value <= 0:
                    raise InputError("value must be positive")

        with pytest.raises(InputError, match="value must be positive"):
            build("x", {"value": -1}, Positive)

    def test_annotation_that_no_configuration_can_hold_is_a_fault_of_the_code(self):
        @dataclasses.dataclass(frozen=True)
        class Odd:
            value: complex

        with pytest.raises(TypeError, match=r"x\.value: a configuration cannot hold"):
            build("x", {"value": 1}, Odd)
