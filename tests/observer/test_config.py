"""The kit's one file: what is wrong in it is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.observer.config import BadConfig, Config

OWN_NODE = '[node]\nurl = "http://127.0.0.1:8545"\n'


def test_what_is_not_said_has_its_default_and_paths_lie_beside_the_file(tmp_path: Path) -> None:
    path = tmp_path / "observer.toml"
    path.write_text(OWN_NODE + '[gateway]\nport = 9000\norigins = ["https://verify.example"]\n')
    config = Config.load(path)
    assert (config.gateway.port, config.gateway.listen) == (9000, "127.0.0.1")
    assert config.gateway.origins == ("https://verify.example",)
    assert config.place("bundle") == tmp_path / "bundle"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("[node", "not TOML"),
        ("", "needs url"),
        ('[node]\nfolder = "n"\ngenesis = "g"\n', "needs url"),
        (OWN_NODE + "[gate]\n", "[gate] is no part"),
        (OWN_NODE + "gateway = 3\n", "has no gateway"),
        ("gateway = 3\n" + OWN_NODE, "is to be a table"),
        (OWN_NODE + "[gateway]\nports = 1\n", "has no ports"),
        (OWN_NODE + '[gateway]\nport = "1"\n', "port is to be a whole number"),
        (OWN_NODE + "[gateway]\nport = true\n", "port is to be a whole number"),
        (OWN_NODE + "[gateway]\nburst_calls = 0\n", "more than 0"),
        (OWN_NODE + '[gateway]\norigins = "*"\n', "a list of texts"),
        (OWN_NODE + "[gateway]\norigins = [1]\n", "a list of texts"),
        (OWN_NODE + "[audit]\nis_sealed = 1\n", "true or false"),
    ],
)
def test_what_is_wrong_is_named_with_the_file(tmp_path: Path, text: str, word: str) -> None:
    path = tmp_path / "observer.toml"
    path.write_text(text)
    with pytest.raises(BadConfig) as caught:
        Config.load(path)
    assert word in str(caught.value)
    assert str(path) in str(caught.value)
