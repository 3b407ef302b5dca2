"""The goals, each with its limit in the whole bench and in the short one.

The short bench is small and runs on busy machines, so it has no limits for times, only for ratios of figures of the same run. Its
limits leave room for a busy machine, but a change that makes Lockflight twice as slow relative to the floor still misses them.
The limits of the whole bench are promises. Those of the short one only detect regressions, so a few of them are stricter.
"""
from dataclasses import dataclass


@dataclass(frozen=True)
class Goal:
    words: str  # {limit} is the limit; other names belong to the figure, such as {peer}
    whole: float | None  # the limit of the whole bench; None if it does not have this goal
    short: float | None  # the limit of the short bench
    at_least: bool = False

    def judge(self, quick, value, **names):
        """A list with the goal and whether the figure meets it; empty if this bench does not have the goal."""
        limit = self.short if quick else self.whole
        if limit is None:
            return []
        met = value >= limit if self.at_least else value <= limit
        return [{"goal": self.words.format(limit=f"{limit:g}", **names), "value": value, "limit": limit, "met": met}]


FAN_OUT_WALL = Goal("wall time at most {limit} times the floor's", whole=1.05, short=1.6)
FAN_OUT_CPU = Goal("client CPU at most {limit} times the floor's", whole=1, short=2)
FAN_OUT_FASTEST = Goal("wall time at most {limit} times that of the fastest peer, {peer}", whole=1, short=0.8)
SLEEP_IDEAL = Goal("`sleep`: wall time at most {limit} times the ideal", whole=1.25, short=None)
SLEEP_FLOOR = Goal("`sleep`: wall time at most {limit} times the floor's", whole=None, short=1.7)
DISTANT_WALL = Goal("50 ms added: wall time at most {limit} times the floor's", whole=1.25, short=1.7)
CONTACT_TIME = Goal("at most {limit} ms", whole=50, short=None)
CONTACT_FLOOR = Goal("at most {limit} times the floor's `true`", whole=None, short=1.8)
CONTACT_ANSIBLE = Goal("at least {limit} times faster than Ansible's first task", whole=10, short=16, at_least=True)
WRONG_SUCCESSES = Goal("at most {limit} wrong successes of Lockflight", whole=0, short=0)
UPGRADE_ANSIBLE_WALL = Goal("at least {limit} times less wall time than {peer}", whole=20, short=13, at_least=True)
UPGRADE_ANSIBLE_CPU = Goal("at least {limit} times less coordinator CPU than {peer}", whole=50, short=16, at_least=True)
UPGRADE_MITOGEN_WALL = Goal("at least {limit} times less wall time than {peer}", whole=8, short=6, at_least=True)
UPGRADE_MITOGEN_CPU = Goal("at least {limit} times less coordinator CPU than {peer}", whole=50, short=16, at_least=True)
ENGINE_GROWTH = Goal("a host of {large:,} costs at most {limit} times one of {small:,}", whole=1.3, short=None)
ENGINE_CPU_GROWTH = Goal("a host of {large:,} costs at most {limit} times the CPU of one of {small:,}", whole=None, short=1.7)
JSON_CODABLE = Goal("read through Codable at least {limit} times as fast as by Foundation", whole=2, short=1.5, at_least=True)
JSON_DIRECT = Goal("read directly at least {limit} times as fast as by Foundation", whole=5, short=4, at_least=True)
IMPORT_TIME = Goal("{hosts:,} hosts without ssh_config in at most {limit} s", whole=10, short=None)
IMPORT_SSH = Goal("with ssh_config at most {limit} times the time of its `ssh -G` calls alone", whole=1.2, short=None)
STATUS_WARM = Goal("warm in at most {limit} ms", whole=50, short=None)
STATUS_COLD = Goal("cold in at most {limit} ms, the slowest", whole=300, short=None)
STATUS_START = Goal("warm: CPU at most {limit} times that of a start of the program that only prints its help", whole=None, short=2.6)
