"""``wm calibrate`` writes a preset that ``wm eval`` plans with."""

import pytest

from wm_bringup import cli
from wm_core import axes
from wm_core.errors import ConfigError


def test_too_few_moves_are_one_sentence(tmp_path, capsys):
    assert cli.run(["calibrate", "--moves", "3", "--out", str(tmp_path / "camera.yaml")]) == cli.EXIT_CANNOT_RUN
    assert "moves = 3 are too few for a calibration; give 12 or more" in capsys.readouterr().err
    assert not (tmp_path / "camera.yaml").exists()


def test_an_uncertain_angle_is_refused_and_nothing_is_written(tmp_path, capsys):
    out = tmp_path / "camera.yaml"
    assert cli.run(["calibrate", "--moves", "12", "--out", str(out), "--camera-azimuth", "30"]) == cli.EXIT_CANNOT_RUN
    assert "make more moves" in capsys.readouterr().err
    assert not out.exists()
    with pytest.raises(ConfigError):
        axes.load(out)


def test_eval_plans_with_a_calibration(tmp_path, capsys):
    axes.store(tmp_path / "camera.yaml", axes.Axes(0.26, (0.47, 0.01)))
    given = ["eval", "--episodes", "1", "--seed", "4000", "--max-steps", "3", "--camera-azimuth", "15"]
    assert cli.run([*given, "--calibration", str(tmp_path / "camera.yaml")]) == 0
    assert "0 violations" in capsys.readouterr().out


def test_eval_refuses_a_camera_that_was_not_calibrated(tmp_path, capsys):
    (tmp_path / "camera.yaml").write_text("source: {device: '0'}\n")
    given = ["eval", "--episodes", "1", "--calibration", str(tmp_path / "camera.yaml")]
    assert cli.run(given) == cli.EXIT_CANNOT_RUN
    assert "not calibrated" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("axes: {yaw_rad: 0.5}\n", "holds 'axes' already; choose another --out, or give --force"),
        ("limits: {}\n", "has an unknown key 'limits'"),
        ("axis: {}\n", "did you mean 'axes'?"),
        ("fps: 1\nfps: 2\n", "has the key 'fps' twice"),
        ("{fps: 30.0}\n", "the axes cannot be put into"),
    ],
)
def test_what_is_no_place_for_axes_is_refused_before_any_move(tmp_path, capsys, text, says):
    out = tmp_path / "camera.yaml"
    out.write_text(text)
    assert cli.run(["calibrate", "--model", "nowhere/at_all", "--out", str(out)]) == cli.EXIT_CANNOT_RUN
    assert says in capsys.readouterr().err and out.read_text() == text
    (tmp_path / "file").touch()
    assert cli.run(["calibrate", "--out", str(tmp_path / "file" / "camera.yaml")]) == cli.EXIT_CANNOT_RUN
    assert "cannot write" in capsys.readouterr().err


def test_by_force_axes_are_found_anew(tmp_path, capsys):
    out = tmp_path / "camera.yaml"
    out.write_text("axes: {yaw_rad: 0.5}\n")
    assert cli.run(["calibrate", "--moves", "3", "--out", str(out), "--force"]) == cli.EXIT_CANNOT_RUN
    assert "moves = 3 are too few for a calibration; give 12 or more" in capsys.readouterr().err


def test_eval_refuses_a_misspelt_key_beside_the_axes(tmp_path, capsys):
    (tmp_path / "camera.yaml").write_text("axes: {yaw_rad: 0.5}\nframeid: c\n")
    given = ["eval", "--episodes", "1", "--calibration", str(tmp_path / "camera.yaml")]
    assert cli.run(given) == cli.EXIT_CANNOT_RUN
    assert "unknown key 'frameid'; did you mean 'frame_id'?" in capsys.readouterr().err
