#!/usr/bin/env python3
"""Z3 judges the answers of the analysis: which rules never decide and what hides them, which are redundant, every pair of
rules between which a change moves packets, and every witness.

`solver.py ANSWERS [RULES [SEED...]]`: the program that answers (`cargo build --package palisade-analysis --example answers`), how many
rules the subnet's NSG has inbound, and the seeds of the estates. It needs the package z3-solver.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import z3

import estates
import meaning
from meaning import ICMP, ICMPV6, SERVICES, TCP, UDP, WIDTH


class Space:
    """The packets of one family, and what rules say of them as formulas."""

    def __init__(self, family):
        self.family = family
        self.protocol = z3.BitVec("protocol", 8)
        self.source, self.destination = z3.BitVecs("source destination", WIDTH[family])
        self.source_port, self.destination_port = z3.BitVecs("source_port destination_port", 16)
        self.solver = z3.SolverFor("QF_BV")
        self.has_ports = z3.Or(self.protocol == TCP, self.protocol == UDP)
        self.is_icmp = z3.Or(self.protocol == ICMP, self.protocol == ICMPV6)
        self.known = {}
        # ICMP has a type in the place of the port, others have neither.
        self.solver.add(z3.Or(self.has_ports, self.source_port == 0))
        self.solver.add(z3.Or(self.has_ports, z3.And(self.is_icmp, z3.ULE(self.destination_port, 255)),
                              self.destination_port == 0))

    def named(self, formula):
        """A variable that stands for a formula."""
        name = z3.FreshConst(formula.sort())
        self.solver.add(name == formula)
        return name

    def inside(self, value, listed):
        if listed is None:
            return True
        within = [value == first if first == last else z3.And(z3.UGE(value, first), z3.ULE(value, last))
                  for first, last in listed]
        return z3.Or(within)

    def matches(self, rule):
        """Whether a rule matches. Rules that match the same have the same variable."""
        key = rule.key()
        if key not in self.known:
            parts = []
            if rule.protocols is not None:
                parts.append(z3.Or([self.protocol == number for number in rule.protocols]))
            if rule.source_ports is not None:
                parts += [self.has_ports, self.inside(self.source_port, rule.source_ports)]
            if rule.destination_ports is not None:
                parts.append(z3.Or(self.has_ports, self.is_icmp) if rule.names_icmp else self.has_ports)
                parts.append(self.inside(self.destination_port, rule.destination_ports))
            for value, side in ((self.source, rule.source), (self.destination, rule.destination)):
                parts.append(self.inside(value, side and side[self.family]))
            self.known[key] = self.named(z3.And(parts))
        return self.known[key]

    def service(self, number):
        """Whether a packet is for a service of the platform."""
        _, addresses, protocols, ports = SERVICES[number]
        listed = meaning.ranges(addresses)[self.family]
        return z3.And(self.inside(self.destination, listed), z3.Or([self.protocol == one for one in protocols]),
                      z3.Or([self.destination_port == one for one in ports]))

    def is_possible(self, *assumptions):
        answer = self.solver.check(*assumptions)
        assert answer != z3.unknown, self.solver.reason_unknown()
        return answer == z3.sat

    def packet(self):
        """The packet that was found possible."""
        model = self.solver.model()
        number = lambda value: model.eval(value, model_completion=True).as_long()
        address = lambda value: str(meaning.ipaddress.ip_address(number(value).to_bytes(WIDTH[self.family] // 8)))
        return (number(self.protocol), address(self.source), number(self.source_port), address(self.destination),
                number(self.destination_port))


class Asked:
    """One list in one space."""

    def __init__(self, space, asked):
        self.space, self.rules = space, asked.rules
        services = range(len(SERVICES)) if asked.direction == "Outbound" else ()
        self.service = {number: space.named(space.service(number)) for number in services}
        self.exempt = space.named(z3.Or(list(self.service.values())))
        # What each rule says when its turn comes: of the platform's traffic only rules are asked that name it.
        self.matches = [space.matches(rule) for rule in self.rules]
        self.comes = [self.when_asked(rule, matches) for rule, matches in zip(self.rules, self.matches)]
        # What the list would say from each rule on, and which rule would decide; beyond the last one stands the exemption,
        # and what no rule matches is denied.
        self.allows, self.decider = [self.exempt], [z3.BitVecVal(len(self.rules), 16)]
        for number in reversed(range(len(self.rules))):
            comes, rule = self.comes[number], self.rules[number]
            self.allows.append(space.named(z3.If(comes, z3.BoolVal(rule.allows), self.allows[-1])))
            self.decider.append(space.named(z3.If(comes, z3.BitVecVal(number, 16), self.decider[-1])))
        self.allows.reverse()
        self.decider.reverse()

    def when_asked(self, rule, matches):
        others = [service for number, service in self.service.items() if number not in rule.services]
        return self.space.named(z3.And(matches, z3.Not(z3.Or(others)))) if others else matches

    def turn(self, number):
        """That a rule matches and none before it does."""
        return [self.comes[number]] + [z3.Not(comes) for comes in self.comes[:number]]

    def is_matched(self, number):
        return self.space.is_possible(self.matches[number])

    def decides(self, number):
        return self.space.is_possible(*self.turn(number))

    def is_needed(self, number):
        other = self.allows[number + 1] != z3.BoolVal(self.rules[number].allows)
        return self.space.is_possible(*self.turn(number), other)

    def hides(self, number, by):
        """Whether these rules match all that another one does, on the way to it. None is the exemption."""
        def covers(other):
            if other is None:
                return self.exempt
            first = self.matches[other] if other < number else z3.BoolVal(False)
            named = [service for service_number, service in self.service.items()
                     if service_number in self.rules[other].services]
            named = z3.And(z3.Or(named), self.matches[other]) if named else z3.BoolVal(False)
            return z3.Or(first, named)
        return not self.space.is_possible(self.matches[number], *[z3.Not(covers(other)) for other in by])


class Judge:
    def __init__(self):
        self.faults, self.reached = [], Counter()

    def expect(self, what, ours, theirs):
        if ours != theirs:
            self.faults.append(f"{what}: the answer is {ours}, Z3 says {theirs}")

    def list(self, place, answer, asked):
        """One list: what each rule's fate is, and whether it is needed."""
        self.expect(f"{place}: rules", [rule["path"] for rule in answer["rules"]], [rule.path for rule in asked.rules])
        spaces = [Asked(Space(family), asked) for family in WIDTH]
        paths = {rule.path: number for number, rule in enumerate(asked.rules)} | {None: None}
        for number, (found, rule) in enumerate(zip(answer["rules"], asked.rules)):
            what, fate, need = f"{place}, {rule.path}", found["fate"], found["need"]
            if not any(space.is_matched(number) for space in spaces):
                theirs = "empty"
            else:
                theirs = "decides" if any(space.decides(number) for space in spaces) else "never"
            self.expect(f"{what}: fate", fate["is"], theirs)
            self.reached[theirs] += 1
            if fate["is"] == "decides":
                self.witness(f"{what}: fate", meaning.decide(asked, fate["witness"])[1], rule.path)
            if fate["is"] == "never" == theirs:
                self.hidden(what, spaces, number, fate, [paths[path] for path in fate["by"]], asked)
            theirs = "needed" if any(space.is_needed(number) for space in spaces) else "redundant"
            self.expect(f"{what}: need", need["is"], theirs)
            self.reached[theirs] += 1
            if theirs == "redundant" and fate["is"] == "decides":
                self.reached["redundant though it decides"] += 1
            if need["is"] == "needed":
                fewer = meaning.List(asked.nsg, asked.direction, [one for one in asked.rules if one is not rule])
                verdicts = [meaning.decide(one, need["witness"])[0] for one in (asked, fewer)]
                self.witness(f"{what}: need", verdicts, [rule.allows, not rule.allows])

    def hidden(self, what, spaces, number, fate, by, asked):
        """What hides a rule does, and nothing of it can be left out."""
        hides = lambda some: all(space.hides(number, some) for space in spaces)
        self.expect(f"{what}: is hidden by {fate['by']}", True, hides(by))
        for left_out in range(len(by)):
            fewer = by[:left_out] + by[left_out + 1:]
            self.expect(f"{what}: is hidden without {fate['by'][left_out]}", False, hides(fewer))
        self.reached["hidden by one" if len(by) == 1 else "hidden by several"] += 1
        accesses = set()
        for path, witness in fate["covers"]:
            self.witness(f"{what}: cover", meaning.decide(asked, witness)[1], path)
            self.witness(f"{what}: cover", meaning.matches(asked.rules[number], witness), True)
            accesses.add(meaning.decide(asked, witness)[0])
        own = asked.rules[number].allows
        theirs = "mixed" if len(accesses) > 1 else "same" if own in accesses else "other"
        self.expect(f"{what}: contrast", fate["contrast"], theirs)
        self.reached[f"hidden by {theirs} access"] += 1

    def witness(self, what, is_so, claimed):
        if is_so != claimed:
            self.faults.append(f"{what}: the witness shows {is_so}, not {claimed}")
        self.reached["witnesses"] += 1

    def changes(self, direction, answers, lists):
        """Every pair of deciders with different verdicts."""
        claimed = set()
        for change in answers:
            pair = tuple(map(tuple, (change["before"], change["after"])))
            shown = tuple(tuple(meaning.decide_all(side, change["witness"])) for side in lists)
            self.witness(f"{direction}: change", shown, pair)
            claimed.add(pair)
        found = differing(lists)
        for pair in claimed ^ found:
            self.faults.append(f"{direction}: {'only the answer' if pair in claimed else 'only Z3'} has {pair}")
        self.reached["pairs"] += len(found)
        for before, _ in found:
            self.reached[f"pairs, {before[0]} before"] += 1

    def volumes(self, place, answer):
        """Inbound, where nothing is exempt, what rules decide adds up to every packet there is."""
        for position, family in enumerate(WIDTH):
            addresses = 1 << 2 * WIDTH[family]
            universe = addresses * (2 * (1 << 32) + 2 * 256 + 252)
            decided = sum(int(rule["decided"][position]) for rule in answer["rules"])
            self.expect(f"{place}: volume", decided, universe)


def differing(lists):
    """Every pair of deciders with different verdicts: each is found once, by a packet, and then excluded."""
    found = set()
    for family in WIDTH:
        space = Space(family)
        sides = [[Asked(space, asked) for asked in side] for side in lists]
        verdicts = [space.named(z3.And([asked.allows[0] for asked in side])) for side in sides]
        deciders = [space.named(decider(side)) for side in sides]
        space.solver.add(verdicts[0] != verdicts[1])
        while space.is_possible():
            model, packet = space.solver.model(), space.packet()
            found.add(tuple(tuple(meaning.decide_all(side, packet)) for side in lists))
            same = [one == model.eval(one, model_completion=True) for one in deciders]
            space.solver.add(z3.Not(z3.And(same)))
    return found


def decider(side):
    """A number for the rule that decides at an interface: of the first list that denies, or else of the last."""
    number = lambda place, asked: asked.decider[0] | z3.BitVecVal(place << 12, 16)
    result = number(len(side) - 1, side[-1])
    for place, asked in reversed(list(enumerate(side[:-1]))):
        result = z3.If(asked.allows[0], result, number(place, asked))
    return result


def judge(program, rules, seed):
    judging = Judge()
    with tempfile.TemporaryDirectory(prefix="palisade-judges.") as folder:
        paths = estates.write(Path(folder), rules, seed)
        tags, before, after = (json.loads(path.read_text()) for path in paths)
        # In the order of the arguments.
        output = subprocess.run([program, *paths], check=True, stdout=subprocess.PIPE).stdout
    answers = json.loads(output)[0]
    sides = [meaning.interface(template, tags) for template in (before, after)]
    for answer in answers["before"]:
        asked = next(one for one in sides[0][answer["direction"]] if one.nsg == answer["nsg"])
        place = f"{answer['nsg']} {answer['direction']}"
        judging.list(place, answer, asked)
        if answer["direction"] == "Inbound":
            judging.volumes(place, answer)
    for direction in ("Inbound", "Outbound"):
        changes = [change for change in answers["changes"] if change["direction"] == direction]
        judging.changes(direction, changes, [side[direction] for side in sides])
    return judging


MUST_REACH = ["decides", "never", "empty", "needed", "redundant", "redundant though it decides", "hidden by one",
              "hidden by several", "hidden by same access", "hidden by other access", "pairs, Allow before",
              "pairs, Deny before"]


def main(program, rules="100", *seeds):
    reached, faults = Counter(), 0
    for seed in map(int, seeds or ["1"]):
        start = time.monotonic()
        judging = judge(program, int(rules), seed)
        reached += judging.reached
        faults += len(judging.faults)
        for fault in judging.faults:
            print(f"seed {seed}: {fault}", file=sys.stderr)
        print(f"{rules} rules, seed {seed}: {len(judging.faults)} differences from Z3 {z3.get_version_string()}, "
              f"{time.monotonic() - start:.1f} s", flush=True)
    print(", ".join(f"{count} {what}" for what, count in sorted(reached.items())))
    missed = [what for what in MUST_REACH if not reached[what]]
    if missed:
        print(f"not reached: {', '.join(missed)}", file=sys.stderr)
    return 1 if faults or missed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
