"""Spectra of other samples: a table of ascending energies in eV with its header, or a refusal that names the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sim_ioc.physics.spectrum import StaticSpectrum
from sim_ioc.physics.truth import ForwardModel
from sim_ioc.scenario.scenario import ScenarioError, load_scenario

HEADER = "energy_eV,mu_norm\n"
GOOD = "# a comment\n" + HEADER + "13400,0.0\n13470,1.0\n13600,1.0\n"


def test_a_table_is_read(tmp_path: Path) -> None:
    path = tmp_path / "sample.csv"
    path.write_text(GOOD, encoding="utf-8")
    spectrum = StaticSpectrum.from_file(path, shift_eV=-10.0)
    np.testing.assert_allclose(spectrum([13.39, 13.46, 13.59]), [0.0, 1.0, 1.0])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD.replace("13400", "13.400").replace("13470", "13.470").replace("13600", "13.600"), r"must be in eV"),
        (GOOD.replace(HEADER, ""), r"first line must be energy_eV,mu_norm, not '13400,0\.0'"),
        (GOOD.replace(HEADER, "E,mu\n"), r"first line must be energy_eV,mu_norm, not 'E,mu'"),
        (GOOD.replace("13470,1.0\n", "13470,1.0\n13460,1.0\n"), r"ascend without repeats"),
        (GOOD.replace("13470,1.0\n", "13470,1.0\n13470,1.0\n"), r"ascend without repeats"),
        (HEADER + "13400,0.0\n", r"ascend without repeats"),
        (GOOD.replace("1.0", "nan", 1), r"not a finite number"),
        (GOOD.replace("1.0", "one", 1), r"cannot be read"),
        (HEADER, r"cannot be read"),
        ("", r"cannot be read"),
    ],
)
def test_anything_else_is_refused_by_the_name_of_the_file(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "sample.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ScenarioError, match=rf"^spectrum sample\.csv .*{message}"):
        StaticSpectrum.from_file(path, shift_eV=0.0)


def test_a_spectrum_lies_in_the_folder_that_the_scenario_names(tmp_path: Path) -> None:
    spectra = tmp_path / "spectra"
    spectra.mkdir()
    (spectra / "iron.csv").write_text(HEADER + "7000,0.0\n7120,1.0\n7400,1.0\n", encoding="utf-8")
    scenario = tmp_path / "mine.toml"
    scenario.write_text(
        '[sample.edges.fe_k]\nfile = "iron.csv"\nfolder = "spectra"\nshift_eV = 0.0\nbackground = 0.0\n'
        "white_line_keV = 7.12\ntransient_fraction = 0.0\n"
        "features = [{ energy_keV = 7.12, fwhm_eV = 3.0, amplitude = 1.0 }]\n",
        encoding="utf-8",
    )
    model, default = ForwardModel(load_scenario(scenario)), ForwardModel()
    np.testing.assert_allclose(model.static([7.0, 7.06, 7.12, 7.3]), [0.0, 0.5, 1.0, 1.0], atol=0.15)
    assert model.white_line_keV(7.2) == 7.12
    elsewhere = [13.0, 13.043, 13.472, 13.57]
    np.testing.assert_array_equal(model.mu(elsewhere, 100, 8.8, True), default.mu(elsewhere, 100, 8.8, True))
