"""New compositions for a teacher: one element exchanged for another of its column, in a cell that fits it."""

import itertools

import numpy as np
import pytest
from ase.data import atomic_numbers

from bec_md.errors import UsageError
from bec_md.structure import Frame
from bec_md.structure.extxyz import write_frames
from bec_md.structure.names import labels_of
from bec_md.training.config import Source, parse_config
from bec_md.training.sources import load_sources
from bec_md.training.splits import composition_rank
from bec_md.training.substitution import STRAIN, Substitution, column
from bec_md.training.teacher import taught

VOLUME = {1: 5.0, 3: 10.0, 11: 20.0, 19: 33.0, 9: 10.0, 17: 27.0, 12: 14.0}


def crystal(*numbers, index=0):
    """Up to four atoms in a cube whose volume is the sum of theirs."""
    edge = sum(VOLUME[z] for z in numbers) ** (1 / 3)
    places = np.array([[0, 0, 0], [0.5, 0.5, 0.5], [0.25, 0.25, 0.25], [0.75, 0.75, 0.75]])[: len(numbers)]
    charges = np.array([len(numbers) - 1.0] + [-1.0] * (len(numbers) - 1))
    labels = labels_of(charges[:, None, None] * np.eye(3))
    return Frame(
        places * edge, np.eye(3) * edge, np.ones(3, bool), np.array(numbers), labels=labels, index=index
    )


def halides(n=20):
    """`n` of each of LiF, NaF, KF, LiCl, NaCl, KCl."""
    pairs = list(itertools.product((3, 11, 19), (9, 17)))
    return [crystal(*pairs[i % 6], index=i) for i in range(6 * n)]


def test_columns_of_the_periodic_table():
    columns = [
        "H Li Na K Rb Cs Fr",
        "Be Mg Ca Sr Ba Ra",
        "Sc Y La Ce Lu Ac U",
        "Ti Zr Hf",
        "V Nb Ta",
        "Cr Mo W",
        "Mn Tc Re",
        "Fe Ru Os",
        "Co Rh Ir",
        "Ni Pd Pt",
        "Cu Ag Au",
        "Zn Cd Hg",
        "B Al Ga In Tl",
        "C Si Ge Sn Pb",
        "N P As Sb Bi",
        "O S Se Te Po",
        "F Cl Br I At",
        "He Ne Ar Kr Xe Rn",
    ]
    for number, symbols in enumerate(columns, start=1):
        assert {column(atomic_numbers[symbol]) for symbol in symbols.split()} == {number}


def test_volumes_are_those_of_the_atoms_and_new_cells_have_their_sum():
    exchange = Substitution.of([*halides(), crystal(12, 9, 9)], "halides.xyz")
    shift = exchange.volumes_ang3[9] - VOLUME[9]  # in 1:1 crystals it cancels that of the cations
    for number, volume in exchange.volumes_ang3.items():
        same = VOLUME[number] + (shift if number in (9, 17) else -shift if number != 12 else -2 * shift)
        assert volume == pytest.approx(same, rel=1e-6)
    generator = np.random.default_rng(0)
    made = [exchange.exchanged(crystal(3, 9), generator) for _ in range(400)]
    ratios = [copy.volume_ang3 / sum(VOLUME[int(z)] for z in copy.numbers) for copy in made]
    # 400 draws: a standard deviation is known to 4 %, the mean to a twentieth of it
    assert np.std(np.cbrt(ratios)) == pytest.approx(STRAIN, rel=0.15)
    assert np.mean(np.cbrt(ratios)) == pytest.approx(1.0, abs=4 * STRAIN / 20)
    assert {copy.formula for copy in made} == {"FNa", "FK", "ClLi"}
    for copy in made:
        np.testing.assert_allclose(
            copy.positions_ang @ np.linalg.inv(copy.cell_ang), [[0, 0, 0], [0.5] * 3], atol=1e-12
        )
        assert not copy.labels  # those of another crystal


def test_what_is_rare_hydrogen_or_held_back_is_not_made():
    rare = [crystal(12, 9), crystal(3, 17, 1, 1)]
    exchange = Substitution.of([*halides(), *rare], "halides.xyz")
    assert set(exchange.partners) == {3, 11, 19, 9, 17}
    generator = np.random.default_rng(1)
    made = {exchange.exchanged(crystal(3, 9), generator, {"FNa", "ClLi"}).formula for _ in range(50)}
    assert made == {"FK"}
    assert exchange.exchanged(crystal(3, 9), generator, {"FNa", "ClLi", "FK"}) is None
    with_hydrogen = [exchange.exchanged(rare[1], generator) for _ in range(50)]
    assert all((copy.numbers == 1).sum() == 2 for copy in with_hydrogen)
    both = Frame(np.eye(3)[:2] * 2, np.eye(3) * 4, np.ones(3, bool), np.array([9, 17]))
    assert exchange.exchanged(both, generator) is None  # an element that is there would become two


def test_structures_without_a_cell_and_a_file_of_one_chemistry_are_refused():
    molecule = Frame(np.eye(3)[:2] * 2, np.zeros((3, 3)), np.zeros(3, bool), np.array([3, 9]))
    with pytest.raises(UsageError, match="not periodic"):
        Substitution.of([*halides(), molecule], "mixed.xyz")
    with pytest.raises(UsageError, match="no elements to exchange"):
        Substitution.of([crystal(3, 9, index=i) for i in range(30)], "one.xyz")


def test_no_composition_of_a_held_back_part_or_of_a_test_is_made(tmp_path):
    write_frames(tmp_path / "halides.xyz", halides(24))
    write_frames(tmp_path / "test.xyz", [crystal(19, 17)])
    formulas = {frame.formula for frame in halides()}
    seed = next(s for s in range(99) if sum(composition_rank(f, s) < 0.2 for f in formulas) == 1)
    held = {f for f in formulas if composition_rank(f, seed) < 0.2}
    entry = {"path": "halides.xyz", "level": "pbesol", "validation": 0.2, "split": "composition"}
    lines = []
    for other in ({"validation": 0.2}, {"validation": None}):
        made = entry | other | {"teacher": "universal", "substitute": True, "displace_ang": 0.05}
        tests = [{"label": "test", "path": "test.xyz", "level": "pbesol"}]
        config = parse_config(
            {"data": [entry, made], "card": {"tests": tests}, "schedule": {"epochs": 1}, "seed": seed}
        )
        _, copies = load_sources(config, config_folder=tmp_path, data_root=None, report=lines.append)
        found = {frame.formula for frame in copies.training}
        assert found == formulas - held - {"ClK"}
        assert all(frame.born_effective_charges is not None for frame in copies.training)
    assert any("one element exchanged and displaced by up to 0.05 Å" in line for line in lines)
    assert not any("held-back compositions are learned" in line for line in lines)


def test_a_file_of_which_no_copy_is_left_is_refused(tmp_path):
    write_frames(tmp_path / "halides.xyz", halides())
    teacher = {"teacher": ["universal", "universal-polarization"], "agree_e": 1e-9, "substitute": True}
    data = [{"path": "halides.xyz", "level": "pbesol"} | teacher]
    config = parse_config({"data": data, "schedule": {"epochs": 1}})
    with pytest.raises(UsageError, match="no copy is left"):
        load_sources(config, config_folder=tmp_path, data_root=None, report=lambda line: None)


class Fixed:
    """Teacher that gives every atom the same charge."""

    def __init__(self, charge):
        self.charge = charge

    def predict_batch(self, frames, *, members):
        tensors = np.tile(self.charge(frames[0]) * np.eye(3), (frames[0].n_atoms, 1, 1))

        class Answer:
            born_effective_charges = (tensors,)
            eps_inf = (np.eye(3),)

        return Answer


def test_copies_that_teachers_contradict_each_other_on_are_left_out():
    one, two = Fixed(lambda frame: 1.0), Fixed(lambda frame: 1.0 + 0.1 * frame.index)
    source = Source(path="x", level="a", teacher=("one", "two"), agree_e=0.12)
    frames = [crystal(3, 9, index=index) for index in range(6)]
    labelled = taught(frames, source, [one, two], seed=0)
    # r.m.s. of the nine components: a third of the charges' difference times the square root of three
    assert [frame.index for frame in labelled] == [0, 1, 2]
    undefined = Fixed(lambda frame: np.nan)
    assert taught(frames, source, [one, undefined], seed=0) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"substitute": True}, "name a teacher"),
        ({"substitute": True, "mix": True, "teacher": "universal"}, "substitute makes others"),
        ({"agree_e": 0.4, "teacher": "universal"}, "it compares two teachers"),
        ({"agree_e": 0.4}, "it compares two teachers"),
    ],
)
def test_keys_that_contradict_each_other_are_refused(change, said):
    with pytest.raises(UsageError, match=said):
        parse_config({"data": [{"path": "a.xyz", "level": "a"} | change], "schedule": {"epochs": 1}})
