"""Spectra of other samples: a table of ascending energies in eV with its header, or a refusal that names the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sim_ioc.physics.spectrum import StaticSpectrum
from sim_ioc.scenario.scenario import ScenarioError

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
