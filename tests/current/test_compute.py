from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from scipy.spatial.transform import Rotation

from bec_md.current import compute_current
from bec_md.current.execution import Execution
from bec_md.current.options import CurrentOptions
from bec_md.current.prepare import prepare_current
from bec_md.current.run import run
from bec_md.current.sums import GroupSums
from bec_md.errors import BecMDWarning, DataError, UsageError
from bec_md.trajectory import ReadOptions

from .toy import CELL, SYMBOLS, WavyCharges, oscillators, tensors, trajectory, wavy


def test_current_of_oscillators_with_constant_tensors_is_exact() -> None:
    model, z = oscillators(), tensors()
    found = compute_current(trajectory(model, 40, 2.0), charges=z, timestep_fs=2.0)
    expected = np.array([np.einsum("nab,nb->a", z, model.velocities(2.0 * k)) for k in range(40)])
    # ASE time units come from CODATA 2014: velocities agree to 1e-8 relative, J is of order 0.1
    assert np.allclose(found.total("none"), expected, atol=1e-8)
    assert found.groups == ("Si", "O", "Li")
    assert found.group_count.tolist() == [2, 4, 2]
    assert found.volume_ang3 == pytest.approx(abs(np.linalg.det(CELL)), rel=1e-12)
    silicon = np.einsum("nab,tnb->ta", z[[0, 5]], [model.velocities(2.0 * k)[[0, 5]] for k in range(40)])
    assert np.allclose(found.current[:, 0], silicon, atol=1e-8)


def test_tensors_follow_the_positions() -> None:
    model = oscillators()
    found = compute_current(trajectory(model, 30, 2.0), charges=WavyCharges(), timestep_fs=2.0, batch=7)
    expected = [
        np.einsum("nab,nb->a", wavy(model.positions(2.0 * k), CELL), model.velocities(2.0 * k))
        for k in range(30)
    ]
    assert np.allclose(found.total("none"), expected, atol=1e-8)  # as above
    assert found.charge_uncertainty_e.shape == (30,)


def test_midpoint_rule_without_velocities_over_the_periodic_boundary() -> None:
    model, dt = oscillators(drift=0.01), 1.5
    frames = trajectory(model, 50, dt, velocities=False, wrap=True)
    with pytest.warns(BecMDWarning, match="no velocities.*midpoint"):
        found = compute_current(frames, charges=WavyCharges(), timestep_fs=dt, batch=8)
    expected = []
    for k in range(49):
        before, after = model.positions(k * dt), model.positions((k + 1) * dt)
        mean = 0.5 * (wavy(before, CELL) + wavy(after, CELL))
        expected.append(np.einsum("nab,nb->a", mean, (after - before) / dt))
    assert found.scheme == "midpoint"
    assert found.start_time_fs == 0.5 * dt
    # exact up to the rounding of wrapped positions (1e-15 × 10 Å / 1.5 fs)
    assert np.allclose(found.total("none"), expected, atol=1e-12)


def test_a_boost_of_the_whole_trajectory_changes_nothing() -> None:
    still = compute_current(trajectory(oscillators(), 30, 2.0), charges=tensors(), timestep_fs=2.0)
    moving = compute_current(trajectory(oscillators(drift=0.05), 30, 2.0), charges=tensors(), timestep_fs=2.0)
    for rule in ("mass", "equal"):
        # J is of order 0.3; what remains is rounding
        assert np.abs(still.partial(rule) - moving.partial(rule)).max() < 1e-10


@pytest.mark.parametrize("stride", [1, 3])
@pytest.mark.parametrize("velocities", [True, False])
@pytest.mark.filterwarnings("ignore:.*no velocities.*")  # said aloud, and tested above
def test_batches_do_not_matter(stride: int, velocities: bool) -> None:
    frames = trajectory(oscillators(), 61, 2.0, velocities=velocities)
    one, other = (
        compute_current(frames, charges=WavyCharges(), timestep_fs=2.0, batch=b, charge_stride=stride)
        for b in (5, 64)
    )
    for name, values in one.time_fields():
        assert np.array_equal(values, getattr(other, name), equal_nan=True), name


def test_tensors_that_stand_for_all_frames_give_the_bits_of_tensors_of_each() -> None:
    random = np.random.default_rng(4)
    group = np.array([0, 1, 1, 2, 1, 0, 2, 1])
    sums = GroupSums(group, random.uniform(1.0, 30.0, 8))  # groups of mixed masses
    one, velocities = random.normal(size=(8, 3, 3)), random.normal(size=(7, 8, 3))
    shared = sums.frame_sums(np.broadcast_to(one, (7, 8, 3, 3)), velocities)
    each = sums.frame_sums(np.array([one] * 7), velocities)
    assert shared.keys() == each.keys()
    for name, values in each.items():
        assert np.array_equal(shared[name], values), name


def test_members_give_barycentric_currents() -> None:
    frames = trajectory(oscillators(drift=0.01), 12, 2.0)
    found = compute_current(frames, charges=WavyCharges(members=3), timestep_fs=2.0)
    mass = found.total("mass")
    assert found.member_current.shape == (12, 3, 3)
    for member in range(3):
        assert np.allclose(found.member_current[:, member], (1.0 + 0.01 * member) * mass, atol=1e-13)


@pytest.mark.parametrize(("interpolation", "order"), [("linear", 2), ("cubic", 4)])
def test_interpolation_error_has_its_order_and_is_estimated(interpolation: str, order: int) -> None:
    frames = trajectory(oscillators(), 801, 0.5)
    options = {"charges": WavyCharges(), "timestep_fs": 0.5, "interpolation": interpolation}
    exact = compute_current(frames, charges=WavyCharges(), timestep_fs=0.5).total()
    errors, estimates = [], []
    for stride in (4, 8):
        found = compute_current(frames, charge_stride=stride, **options)
        inside = slice(16, -16)  # the ends have lower order
        difference = found.total()[inside] - exact[inside]
        errors.append(np.sqrt((difference**2).sum() / (exact[inside] ** 2).sum()))
        estimates.append(found.current_interpolation_error)
        assert found.charge_interpolation_error_e > 0.0
    # halving the spacing divides the error by 2^order; a factor 1.5 for the next order
    assert errors[1] / errors[0] == pytest.approx(2.0**order, rel=0.5)
    # taken at the middle of segments, where the error is largest (√(630/256) times the mean of a cubic)
    assert all(1.0 < estimate / error < 2.2 for estimate, error in zip(estimates, errors, strict=True))


def test_stride_is_chosen_for_a_tolerance() -> None:
    frames = trajectory(oscillators(), 300, 0.5)
    options = {"charges": WavyCharges(), "timestep_fs": 0.5, "charge_stride": "auto"}
    strides = []
    for tolerance in (1e-5, 1e-2):
        found = compute_current(frames, charge_tolerance=tolerance, **options)
        stride = found.metadata["charge_stride"]
        strides.append(stride)
        exact = compute_current(frames, charges=WavyCharges(), timestep_fs=0.5).total()
        relative = np.sqrt(((found.total() - exact) ** 2).sum() / (exact**2).sum())
        assert relative < 2.0 * tolerance  # chosen on two windows of the trajectory
    assert strides[0] < strides[1]


def test_net_charge_and_masses_come_from_the_trajectory() -> None:
    frames = trajectory(oscillators(), 5, 2.0)
    found = compute_current(frames, charges=tensors(), timestep_fs=2.0, masses={"Li": 6.0})
    assert found.group_mass_amu[2] == 12.0


def test_a_stride_is_the_same_before_and_after() -> None:
    frames = trajectory(oscillators(), 41, 1.0)
    before = compute_current(frames, charges=WavyCharges(), timestep_fs=1.0, start=3, stride=4)
    after = compute_current(frames, charges=WavyCharges(), timestep_fs=1.0)[3::4]
    assert np.array_equal(before.current, after.current)
    assert (
        (before.timestep_fs, before.start_time_fs) == (after.timestep_fs, after.start_time_fs) == (4.0, 3.0)
    )


def test_permuted_and_turned_systems_give_the_permuted_and_turned_current() -> None:
    model, z = oscillators(), tensors()
    turn = Rotation.from_rotvec([0.3, -1.0, 0.5]).as_matrix()
    order = np.random.default_rng(0).permutation(len(SYMBOLS))
    frames = trajectory(model, 20, 2.0)
    turned = []
    for atoms in frames:
        other = Atoms(atoms.symbols, atoms.positions @ turn.T, cell=CELL @ turn.T, pbc=True)
        other.set_velocities(atoms.get_velocities() @ turn.T)
        turned.append(other[order])
    plain = compute_current(frames, charges=z, timestep_fs=2.0)
    found = compute_current(turned, charges=(turn @ z @ turn.T)[order], timestep_fs=2.0)
    for name in plain.groups:  # their order follows the first atom of each
        one = plain.partial()[:, plain.groups.index(name)]
        assert np.allclose(found.partial()[:, found.groups.index(name)], one @ turn.T, atol=1e-13)


def test_missing_timestep_names_the_option() -> None:
    with pytest.raises(UsageError, match="timestep_fs") as error:
        compute_current(trajectory(oscillators(), 5, 2.0), charges=tensors())
    assert error.value.exit_status == 2


def test_missing_cell_is_refused() -> None:
    atoms = [Atoms("HF", positions=[[0, 0, 0], [0, 0, 1.0 + 0.01 * k]]) for k in range(3)]
    with pytest.raises(DataError, match=r"(?s)cell.*fix: "):
        compute_current(atoms, charges="fixed:H=1,F=-1", timestep_fs=1.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch": 0}, "`batch=0`"),
        ({"charge_stride": 0}, "`charge_stride=0`"),
        ({"interpolation": "septic"}, "unknown `interpolation=septic`"),
        ({"groups": "colour"}, "`groups=colour`"),
        ({"charges": "guess"}, "`charges=guess`"),
        ({"workers": 0}, "`workers=0`"),
    ],
)
def test_bad_options_are_refused(options: dict, message: str) -> None:
    arguments = {"charges": WavyCharges(), "timestep_fs": 2.0} | options
    with pytest.raises(UsageError, match=message) as error:
        compute_current(trajectory(oscillators(), 5, 2.0), **arguments)
    assert error.value.fix


def test_the_job_tells_what_will_be_done() -> None:
    options = CurrentOptions(charges="fixed:Si=4,O=-2,Li=0")
    job = prepare_current(trajectory(oscillators(), 25, 2.0), options, ReadOptions(timestep_fs=2.0))
    assert job.n_samples == 25
    assert job.groups.names == ("Si", "O", "Li")
    assert job.charges_name == "fixed:Si=4,O=-2,Li=0"
    done: list[tuple[int, int | None]] = []
    run(job, Execution(progress=lambda n, total: done.append((n, total))))
    assert done[-1] == (25, 25)
    assert set(SYMBOLS) == set(job.groups.names)


def test_frames_that_can_be_asked_for_once_and_slices_of_ase_trajectories(tmp_path) -> None:
    from ase.io.trajectory import Trajectory

    frames = trajectory(oscillators(), 40, 2.0)
    with Trajectory(tmp_path / "run.traj", "w") as file:
        for atoms in frames:
            file.write(atoms)
    known = compute_current(frames, charges=tensors(), timestep_fs=2.0).current
    once = compute_current(iter(frames), charges=tensors(), timestep_fs=2.0)
    assert np.array_equal(once.current, known)
    with Trajectory(tmp_path / "run.traj") as file:
        part = compute_current(file[10:], charges=tensors(), timestep_fs=2.0)
    assert np.allclose(part.current, known[10:], rtol=0.0, atol=1e-12)


def test_labels_tensors_and_numbers_of_any_kind() -> None:
    frames, z = trajectory(oscillators(), 40, 2.0), tensors()
    known = compute_current(frames, charges=z, timestep_fs=2.0)
    labels = np.where(np.arange(8) < 3, "a", "b")
    for given in (
        {"groups": labels},
        {"groups": labels, "charges": z.tolist()},
        {"charge_stride": np.int64(1)},
        {"masses": None},
    ):
        found = compute_current(frames, **{"charges": z, "timestep_fs": 2.0} | given)
        assert np.allclose(found.total("none"), known.total("none"), rtol=0.0, atol=1e-14)
        assert found.groups == (("a", "b") if "groups" in given else known.groups)
    for charges, message in (
        (np.ma.masked_greater(z, 0.5), "has masked entries"),
        (z + 1j, "holds complex numbers"),
        ([1.0, [2.0]], r"have shape \(0,\)"),
        ({"Si": np.eye(3), "O": -2.0, "Li": 1.0}, "not a number"),
        ({14: 4.0}, "is not an element"),
    ):
        with pytest.raises((DataError, UsageError), match=message):
            compute_current(frames, charges=charges, timestep_fs=2.0)
    for given, message in (({"batch": 7.5}, "no whole number"), ({"masses": np.ones(2)}, "is no table")):
        with pytest.raises(UsageError, match=message):
            compute_current(frames, charges=z, timestep_fs=2.0, **given)
