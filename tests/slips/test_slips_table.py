"""The catalogue is whole: each kind of fault of the simulator, and each rule, has a story."""

import importlib
from pathlib import Path

import pytest

from simulator.faults.kinds import KINDS
from tests.slips.stories import STORIES

RULES = range(1, 16)


@pytest.fixture(autouse=True)
def all_stories() -> None:
    """Import all stories, whichever of them run."""
    for path in Path(__file__).parent.glob("test_*.py"):
        if path.name != Path(__file__).name:
            importlib.import_module(f"tests.slips.{path.stem}")


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_fault_has_a_story(kind: str) -> None:
    assert any(kind in story.kinds for story in STORIES.values())


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_has_a_story(rule: int) -> None:
    assert any(rule in story.rules for story in STORIES.values())


def test_stories_name_kinds_and_rules_that_exist() -> None:
    for story in STORIES.values():
        assert set(story.kinds) <= KINDS.keys(), story
        assert story.rules, story
        assert set(story.rules) <= set(RULES), story
