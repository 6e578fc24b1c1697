from pathlib import Path

import pytest

from bec_md.errors import UsageError
from bec_md.training.config import find_data_file, load_config, parse_config

MINIMAL = {"data": [{"path": "a.xyz", "level": "pbe"}], "schedule": {"epochs": 2}}


def test_minimal_configuration_has_documented_defaults():
    config = parse_config(MINIMAL)
    assert config.loss.kind == "huber"
    assert config.threads == 1
    assert config.data[0].split == "composition"


def test_a_section_of_which_all_is_commented_out_has_its_defaults(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text(
        "data:\n- {path: a.xyz, level: pbe}\nschedule: {epochs: 2}\nloss:\n#  kind: mse\nnetwork:\n"
    )
    assert load_config(file) == parse_config(MINIMAL)
    with pytest.raises(UsageError, match="unknown key 'los'"):
        parse_config(MINIMAL | {"los": None})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"data": MINIMAL["data"][0]}, "data: it is a list"),
        ({"finetune": "universal"}, "finetune: it is a section"),
        ({"network": ["layers"]}, "network: it is a section"),
        ({"data": [MINIMAL["data"][0] | {"fold": 0}]}, "data.0.fold: it is a list"),
    ],
)
def test_lists_and_sections_are_asked_for_in_words_of_yaml(change, words):
    with pytest.raises(UsageError) as caught:
        parse_config(MINIMAL | change)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("change", "suggestion"),
    [
        ({"optimiser": {}}, "did you mean 'optimizer'?"),
        ({"optimizer": {"learning_rat": 1e-3}}, "did you mean 'learning_rate'?"),
        ({"data": [{"path": "a.xyz", "levels": "pbe"}]}, "did you mean 'level'?"),
        ({"loss": {"xyzzy": 1}}, "known keys:"),
    ],
)
def test_unknown_key_is_rejected_with_a_suggestion(change, suggestion):
    with pytest.raises(UsageError) as caught:
        parse_config(MINIMAL | change)
    assert suggestion in str(caught.value)
    assert caught.value.exit_status == 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schedule": {}}, "epochs, max_minutes or both"),
        ({"data": []}, "data"),
        ({"data": [{"path": "a", "level": "x", "validation": 1.5}]}, r"lies in [0, 1)"),
        ({"optimizer": {"learning_rate": -1.0}}, "optimizer.learning_rate"),
        ({"optimizer": {"learning_rate": float("inf")}}, "finite number"),
        ({"data": [{"path": "a", "level": "x", "weight": float("inf")}]}, "data.0.weight"),
        ({"data": [{"path": "a", "level": ""}]}, "data.0.level"),
        ({"seed": -1}, "seed"),
        ({"data": [{"path": "a", "level": "x", "teacher": "m", "validation": "b"}]}, "give a part"),
        ({"data": [{"path": "a", "level": "x", "fold": [0, 5]}]}, "beside validation as a fraction"),
        *(
            ({"data": [{"path": "a", "level": "x", "validation": 0.2, "fold": fold}]}, f"fold {fold} of a")
            for fold in ([5, 5], [-1, 5], [0, 1], [0, 0])
        ),
    ],
)
def test_impossible_values_are_rejected_with_their_place(change, words):
    with pytest.raises(UsageError) as caught:
        parse_config(MINIMAL | change)
    assert words in caught.value.what
    told = "after validation, not 0" in caught.value.what  # one file that is wrong is a file
    assert told is (change == {"data": []})


def test_yaml_scientific_notation_without_a_point_is_a_number(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text(
        "data: [{path: a.xyz, level: pbe, validation: 1e-1}]\nschedule: {epochs: 1}\n"
        "optimizer: {learning_rate: 3e-3}\n"
    )
    assert load_config(file).optimizer.learning_rate == 3e-3
    assert load_config(file).data[0].validation == 0.1  # no file of that name


def test_broken_or_missing_yaml_is_a_usage_error(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text("data: [")
    with pytest.raises(UsageError, match="not valid YAML"):
        load_config(file)
    with pytest.raises(UsageError, match="no such file"):
        load_config(tmp_path / "absent.yaml")


@pytest.mark.parametrize(
    "again", ["seed: 2\n", "data: [{path: b.xyz, level: pbe}]\n", "card: {a: 1, a: 2}\n"]
)
def test_a_key_that_is_there_twice_is_refused(tmp_path, again):
    """The first of two sections was left out without a word."""
    text = "seed: 1\ndata: [{path: a.xyz, level: pbe}]\nschedule: {epochs: 1}\n"
    (tmp_path / "c.yaml").write_text(text)
    assert load_config(tmp_path / "c.yaml").seed == 1
    (tmp_path / "c.yaml").write_text(text + again)
    with pytest.raises(UsageError, match=r"'(seed|data|a)' is there twice in .*line 4"):
        load_config(tmp_path / "c.yaml")


def test_keys_of_merged_sections_may_be_there_again(tmp_path):
    """One that is merged into another before it is read has its own keys beside those merged into it."""
    text = (
        "card: {a: {b: &b {x: 1, y: 1}, c: &c {<<: *b, y: 2}}, d: {<<: *b, <<: *c}}\n"
        "data: [{path: a.xyz, level: pbe}]\nschedule: {epochs: 1}\n"
    )
    (tmp_path / "c.yaml").write_text(text)
    card = load_config(tmp_path / "c.yaml").card
    assert card["a"]["c"] == {"x": 1, "y": 2}
    assert card["d"]["x"] == 1


def test_data_paths_start_at_the_data_root_and_then_at_the_configuration(tmp_path):
    root, folder = tmp_path / "root", tmp_path / "configs"
    for place in (root, folder):
        place.mkdir()
        (place / "both.xyz").touch()
    (folder / "near.xyz").touch()
    assert find_data_file("both.xyz", config_folder=folder, data_root=root) == root / "both.xyz"
    assert find_data_file("near.xyz", config_folder=folder, data_root=root) == folder / "near.xyz"
    with pytest.raises(UsageError, match="`data_root"):
        find_data_file("absent.xyz", config_folder=folder, data_root=root)


def test_configuration_survives_a_round_trip_through_json():
    config = parse_config(MINIMAL | {"finetune": {"model": "universal", "freeze": ["element"]}})
    assert parse_config(config.model_dump(mode="json")) == config


def test_importing_the_room_and_its_configuration_needs_no_torch():
    import subprocess
    import sys

    code = "import bec_md.training, bec_md.training.config, sys; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
