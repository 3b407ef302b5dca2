"""Every goal can be missed, and those of the short bench are missed by a Lockflight that is twice as bad as when they were set.

Run by `make bench-quick`, or: python3 -m unittest discover bench
"""
import unittest

import goals
import report

# The worst figures of the short bench when its limits were set, on two cores with ten processes waiting for them.
WORST_SEEN = {
    "FAN_OUT_WALL": 1.11,
    "FAN_OUT_CPU": 1.41,
    "FAN_OUT_FASTEST": 0.49,
    "SLEEP_FLOOR": 1.10,
    "DISTANT_WALL": 1.18,
    "CONTACT_FLOOR": 1.32,
    "CONTACT_ANSIBLE": 30.6,
    "UPGRADE_ANSIBLE_WALL": 23.6,
    "UPGRADE_ANSIBLE_CPU": 27.7,
    "UPGRADE_MITOGEN_WALL": 10.3,
    "UPGRADE_MITOGEN_CPU": 29.6,
    "ENGINE_CPU_GROWTH": 1.22,
    "STATUS_START": 1.90,
    "JSON_CODABLE": 2.56,
    "JSON_DIRECT": 6.95,
}
GOALS = {name: goal for name, goal in vars(goals).items() if isinstance(goal, goals.Goal)}
NAMES = {"peer": "somebody", "large": 10_000, "small": 1_000, "hosts": 10_000}


def is_met(goal, quick, value):
    return goal.judge(quick, value, **NAMES)[0]["met"]


class GoalTests(unittest.TestCase):
    def test_each_limit_is_kept_at_it_and_missed_beyond_it(self):
        for name, goal in GOALS.items():
            for quick, limit in ((False, goal.whole), (True, goal.short)):
                with self.subTest(goal=name, quick=quick):
                    if limit is None:
                        self.assertEqual(goal.judge(quick, 1, **NAMES), [])
                        continue
                    beyond = limit - 0.01 if goal.at_least else limit + 0.01
                    self.assertTrue(is_met(goal, quick, limit))
                    self.assertFalse(is_met(goal, quick, beyond))

    def test_the_words_say_the_limit_that_applies(self):
        self.assertEqual(goals.FAN_OUT_WALL.judge(False, 1)[0]["goal"], "wall time at most 1.05 times the floor's")
        for name, goal in GOALS.items():
            self.assertIn("{limit}", goal.words, name)

    def test_the_short_bench_keeps_its_goals_at_the_worst_seen_and_misses_them_when_that_is_twice_as_bad(self):
        for name, goal in GOALS.items():
            if goal.short is None or goal is goals.WRONG_SUCCESSES:  # none is right, and one is too many
                continue
            with self.subTest(goal=name):
                worst = WORST_SEEN[name]
                twice_as_bad = worst / 2 if goal.at_least else worst * 2
                self.assertTrue(is_met(goal, True, worst))
                self.assertFalse(is_met(goal, True, twice_as_bad))

    def test_the_short_bench_asks_for_no_time(self):
        for name, goal in GOALS.items():
            self.assertFalse(goal.short is not None and "{limit} ms" in goal.words, name)

    def test_the_summary_names_goals_times_and_who_was_left_out(self):
        section = {"item": "fan-out", "goals": goals.FAN_OUT_WALL.judge(True, 9) + goals.FAN_OUT_CPU.judge(True, 1)}
        self.assertEqual(
            report.summary({"leftOut": ["pdsh"], "seconds": {"fan-out": 3.21}, "sections": [section]}).splitlines(), [
                "left out, because not installed: pdsh",
                "   3.2 s  fan-out",
                f"MISSED  fan-out: {section['goals'][0]['goal']}: 9.00",
                f"met     fan-out: {section['goals'][1]['goal']}: 1.00"])
