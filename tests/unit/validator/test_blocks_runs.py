"""Blocks that are judged many at once are judged as they would be one by one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.validator.profile import load_profile
from services.validator.rules import blocks_judge
from services.validator.rules.blocks_judge import BlockJudge
from services.validator.rules.blocks_runs import CLEARED
from services.validator.rules.registry import MAX_FINDINGS, RULES, Finding, Rule
from shared.adm import axml, block_reader, block_templates
from shared.adm.axml import read_axml
from shared.adm.blocks import Block, Form, Run
from shared.adm.riff import Chunk
from shared.adm.source import open_source
from shared.adm.times import parse_time, parse_times
from shared.adm.trajectories import Trajectories

if TYPE_CHECKING:
    from pathlib import Path

    from shared.adm.model import Adm
    from shared.problems import Problem

_CHANNEL = "AC_00031001"
_PROFILE = load_profile("atmos")
_RULES = {each.code: each for each in RULES if each.subject is Block}
_FORM = Form("Objects", first=False, sample_rate=48_000, attributes=(), children=[], numbers=("X",))
_PLAIN = Run(
    _CHANNEL,
    2,
    _FORM,
    tuple(f"AB_00031001_{number:08x}" for number in range(2, 32)),
    list(range(10, 310, 10)),
    [10] * 30,
    [[0.5] * 30],
    10,
)
_HEAD = (
    f'<a><audioFormatExtended><audioChannelFormat audioChannelFormatID="{_CHANNEL}"'
    ' typeLabel="0003">'
)
_TAIL = "</audioChannelFormat></audioFormatExtended></a>"


def singly(run: Run) -> list[Block]:
    """Return the blocks of a run."""
    blocks, end = [], run.previous_end
    for at, identifier in enumerate(run.identifiers):
        numbers = [column[at] for column in run.numbers]
        times = run.starts[at], run.durations[at]
        blocks.append(
            Block(
                *(run.channel, run.index + at, identifier, run.form, {}, list(map(str, numbers))),
                *(*times, end, numbers, False),
            )
        )
        end = sum(times)
    return blocks


def found(rule: Rule, run: Run) -> bool:
    return any(list(rule.check(block, _PROFILE)) for block in singly(run))


def test_every_rule_for_blocks_can_be_cleared() -> None:
    assert set(CLEARED) == set(_RULES)


@pytest.mark.parametrize("upper", [False, True])
def test_plain_blocks_are_cleared_of_everything(*, upper: bool) -> None:
    identifiers = tuple(each.upper() if upper else each for each in _PLAIN.identifiers)
    run = replace(_PLAIN, identifiers=identifiers)
    assert all(cleared(run) for cleared in CLEARED.values())
    assert not any(found(rule, run) for rule in _RULES.values())


_FAULTS = {
    "block_parent_wrong": {"identifiers": ("AB_00031002_00000002", *_PLAIN.identifiers[1:])},
    "block_sequence_wrong": {"identifiers": _PLAIN.identifiers[::-1]},
    "block_start_wrong": {"index": 1},
    "blocks_not_contiguous": {"durations": [*[10] * 20, 12, *[10] * 9]},
    "position_out_of_range": {"numbers": [[*[0.5] * 29, -1.01]]},
}


@pytest.mark.parametrize(("code", "change"), _FAULTS.items(), ids=_FAULTS)
def test_a_fault_is_not_cleared(code: str, change: dict[str, object]) -> None:
    run = replace(_PLAIN, **change)  # type: ignore[arg-type]  # each is of its field's type
    assert found(_RULES[code], run)
    assert not CLEARED[code](run)


def test_identifiers_that_are_right_only_in_a_row_are_not_cleared() -> None:
    first, second, *rest = _PLAIN.identifiers
    run = replace(_PLAIN, identifiers=(first[:-1], first[-1] + second, *rest))
    assert not CLEARED["block_sequence_wrong"](run)


@given(st.data())
def test_what_a_rule_finds_is_never_cleared(data: st.DataObject) -> None:
    length = data.draw(st.integers(1, 3))
    times = st.lists(st.integers(0, 4), min_size=length, max_size=length)
    names = st.from_regex(r"A[BC]_000310(01|02|1)_0000000[0-5a]?", fullmatch=True)
    index = data.draw(st.integers(1, 4))
    right = [f"AB_00031001_{index + at:08x}" for at in range(length)]
    changed = data.draw(st.lists(st.none() | names, min_size=length, max_size=length))
    run = Run(
        data.draw(st.sampled_from([_CHANNEL, "AC_000310011", "AC_1"])),
        index,
        _FORM,
        tuple(other or own for own, other in zip(right, changed, strict=True)),
        data.draw(times),
        data.draw(times),
        [data.draw(st.lists(st.floats(-1.5, 1.5), min_size=length, max_size=length))],
        data.draw(st.none() | st.integers(0, 3)),
    )
    for code, rule in _RULES.items():
        assert not (CLEARED[code](run) and found(rule, run)), code


_TIMES = st.from_regex(r"[-+0-9a]{2}:[0-9]{2}:[0-9]{2}\.[-+_0-9]{4,6}", fullmatch=True)


@given(st.lists(_TIMES | st.just("00:00:01.00000"), min_size=1, max_size=3))
def test_many_times_are_read_as_each_is(texts: list[str]) -> None:
    each = [parse_time(text) for text in texts]
    assert parse_times(texts) == (None if None in each else each)


def block(number: int, place: str, start: int | None = None, *, more: str = "") -> str:
    length = "0.005208" if number > 1 else "0.000000"
    begin = number - 1 if start is None else start
    return (
        f'<audioBlockFormat audioBlockFormatID="AB_00031001_{number:08x}"'
        f' rtime="00:00:00.{begin:05}" duration="00:00:00.00001"><cartesian>1</cartesian>'
        f'<position coordinate="X">{place}</position><position coordinate="Y">0</position>{more}'
        f'<jumpPosition interpolationLength="{length}">1</jumpPosition></audioBlockFormat>'
    )


def judged(text: str, folder: Path, *, runs: bool) -> tuple[Adm, list[Problem], object, int]:
    """Return what is read and found, the path, and how many blocks came in runs."""
    path, judge, paths = folder / "axml", BlockJudge(_PROFILE), Trajectories()
    path.write_text(_HEAD + text + _TAIL)
    taken = 0

    def on_block(block: Block) -> None:
        judge(block)
        paths(block)

    def on_run(run: Run) -> bool:
        nonlocal taken
        passed = judge.passes(run)
        if passed:
            taken += len(run.starts)
            paths.extend(run)
        return passed

    with open_source(path) as source:
        chunk = Chunk("axml", 0, source.size)
        chosen = on_run if runs else None
        adm = read_axml(source, chunk, sample_rate=48_000, on_block=on_block, on_run=chosen)
    return adm, judge.problems(), paths.by_channel, taken


_ODD = {
    "nothing": "",
    "a gap": block(20, "0.5", 25),
    "outside": block(20, "1.5"),
    "no number": block(20, "east"),
    "infinity": block(20, "inf"),
    "no time": block(20, "0.5").replace("00:00:00.00019", "00:00:00.0001+"),
    "another number": block(21, "0.5"),
    "another channel": block(20, "0.5").replace("AB_00031001", "AB_00031002"),
    "a gain": block(20, "0.5", more="<gain>2</gain>"),
    "forbidden elements in a row": "".join(
        block(number, "0.5", more="<headLocked>1</headLocked>") for number in range(20, 28)
    ),
    "a forbidden element": block(20, "0.5", more="<headLocked>1</headLocked>") * 12,
}


@pytest.mark.parametrize("odd", _ODD.values(), ids=_ODD)
def test_runs_are_judged_as_blocks_are(
    odd: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(axml, "_FEED_BYTES", 3000)
    before = "".join(block(number, f"0.{number}") for number in range(1, 20))
    after = "".join(block(number, f"-0.{number}") for number in range(21, 60))

    *together, taken = judged(before + odd + after, tmp_path, runs=True)
    *each, none = judged(before + odd + after, tmp_path, runs=False)

    assert together == each
    assert bool(together[1])
    assert taken > 0 == none


def test_a_rule_that_has_found_enough_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Block] = []

    def check(block: Block, _: object) -> list[Finding]:
        asked.append(block)
        return [Finding(detail="wrong")]

    monkeypatch.setattr(
        blocks_judge, "RULES", [replace(_RULES["position_out_of_range"], check=check)]
    )
    judge = BlockJudge(_PROFILE)
    for each in singly(_PLAIN):
        judge(each)
    assert len(asked) == MAX_FINDINGS + 1


def test_blocks_in_runs_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block_reader, "MAX_BLOCKS", 10)
    text = "".join(block(number, "1") for number in range(1, 20))
    with pytest.raises(Exception, match="more audioBlockFormats"):
        judged(text, tmp_path, runs=True)


def test_few_blocks_are_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "".join(block(number, "1") for number in range(1, 20))
    assert judged(text, tmp_path, runs=True)[-1] == 17
    monkeypatch.setattr(block_reader, "MIN_RUN", 18)
    assert judged(text, tmp_path, runs=True)[-1] == 0
    monkeypatch.undo()
    monkeypatch.setattr(block_templates, "MAX_TEMPLATES", 0)
    assert judged(text, tmp_path, runs=True)[-1] == 0


def test_a_long_block_is_no_template(tmp_path: Path) -> None:
    more = f"<!--{'x' * block_templates.MAX_TEMPLATE_BYTES}-->"
    text = "".join(block(number, "1", more=more) for number in range(1, 20))
    assert judged(text, tmp_path, runs=True)[-1] == 0


@pytest.mark.parametrize("feed", [64, 400, 1000])
def test_blocks_that_windows_cut_are_matched(
    feed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(axml, "_FEED_BYTES", feed)
    monkeypatch.setattr(block_reader, "MIN_RUN", 1)
    text = "".join(block(number, "1") for number in range(1, 20))
    assert judged(text, tmp_path, runs=True)[-1] == 17


def test_a_block_of_which_the_start_has_gone_teaches_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    comment = "<!--</audioBlockFormat>-->"
    begun = len(_HEAD) + len(block(1, "1")) + len(comment) + 100
    monkeypatch.setattr(axml, "_FEED_BYTES", begun)
    monkeypatch.setattr(block_templates, "MAX_TEMPLATES", 1)
    monkeypatch.setattr(block_reader, "MIN_RUN", 1)
    rest = "".join(block(number, "1") for number in range(2, 20))
    assert judged(block(1, "1") + comment + rest, tmp_path, runs=True)[-1] > 0
