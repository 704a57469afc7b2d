"""What is printed must be taken back by kubectl."""

import click
import yaml
from click.testing import CliRunner

from playerscore_cli.output import Format, print_document


def test_a_box_keeps_its_y() -> None:
    """kubectl reads a bare y as true (YAML 1.1), and would refuse the box."""

    box = {"bbox": {"x": 0.1, "y": 0.2}}
    done = CliRunner().invoke(click.Command("print", callback=lambda: print_document(box, Format.YAML)))

    assert "'y': 0.2" in done.output
    assert yaml.safe_load(done.output) == box
