"""Judges blocks as they are read: nothing is kept but what the rules found."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from services.validator.rules.blocks_runs import CLEARED
from services.validator.rules.registry import MAX_FINDINGS, RULES, Finding, Rule
from shared.adm.blocks import Block, DetailedBlock, Form

if TYPE_CHECKING:
    from collections.abc import Iterable

    from services.validator.profile import Profile
    from shared.adm.blocks import Run
    from shared.problems import Problem


class BlockJudge:
    """Asks the rules for Block about each block, those for Form once about each form.

    A rule that has found more than MAX_FINDINGS is not asked again.
    """

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._of_blocks = {
            kind: [rule for rule in RULES if issubclass(kind, rule.subject)]
            for kind in (Block, DetailedBlock)
        }
        self._of_forms = [rule for rule in RULES if rule.subject is Form]
        self._faults: dict[Form, list[tuple[Rule, Finding]]] = {}
        self._found: dict[str, tuple[Rule, list[Finding]]] = {}

    def __call__(self, block: Block) -> None:
        """Judge the next block."""
        faults = self._faults.get(block.form)
        if faults is None:
            faults = self._faults[block.form] = self._judge_form(block.form)
        for rule, finding in faults:
            if not self._is_full(rule):
                self._note(rule, (replace(finding, location=block.location),))
        for rule in self._of_blocks[type(block)]:
            findings = rule.check(block, self._profile)
            if findings:
                self._note(rule, findings)

    def passes(self, run: Run) -> bool:
        """Whether no rule can find anything in these blocks, so that they need not come singly."""
        if run.form not in self._faults:
            return False
        checks = [CLEARED.get(rule.code) for rule in self._of_blocks[Block]]
        return not self._faults[run.form] and all(check and check(run) for check in checks)

    def problems(self) -> list[Problem]:
        """Return what was found in all blocks so far."""
        found = self._found.values()
        return [each for rule, seen in found for each in rule.listed(seen, self._profile)]

    def _judge_form(self, form: Form) -> list[tuple[Rule, Finding]]:
        return [
            (rule, finding)
            for rule in self._of_forms
            if not self._is_full(rule)
            for finding in islice(rule.check(form, self._profile), MAX_FINDINGS + 1)
        ]

    def _is_full(self, rule: Rule) -> bool:
        return rule.code in self._found and len(self._found[rule.code][1]) > MAX_FINDINGS

    def _note(self, rule: Rule, findings: Iterable[Finding]) -> None:
        self._found.setdefault(rule.code, (rule, []))[1].extend(findings)
        if self._is_full(rule):
            self._faults.clear()
            self._of_blocks = {
                kind: [each for each in rules if each is not rule]
                for kind, rules in self._of_blocks.items()
            }
