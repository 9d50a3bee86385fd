#!/usr/bin/env python3
"""What Z3 takes for the questions that the analysis is measured by.

`peer.py dead|redundant|diff`: two rule lists come as JSON on standard input, in the form of `palisade bench analysis`; the answer is
`{"version","milliseconds","found"}`. Times are of the processor; reading is not counted, building the formulas is. It needs the package z3-solver.
"""

import json
import sys
import time

import meaning
import solver
import z3


def rule(number, told):
    def addresses(texts):
        if texts is None:
            return None
        found = {4: [], 6: []}
        for text in texts:
            first, last = map(meaning.ipaddress.ip_address, text.split("-"))
            found[first.version].append((int(first), int(last)))
        return found

    def ports(texts):
        return None if texts is None else [tuple(map(int, text.split("-"))) for text in texts]

    protocol = told["protocol"].lower()
    return meaning.Rule(str(number), told["allows"], meaning.PROTOCOLS[protocol], protocol == "icmp", addresses(told["source"]),
                        addresses(told["destination"]), ports(told["sourcePorts"]), ports(told["destinationPorts"]))


def answer(question, before, after):
    if question == "diff":
        return len(solver.differing([[before], [after]]))
    spaces = [solver.Asked(solver.Space(family), before) for family in meaning.WIDTH]
    holds = lambda ask, number: any(ask(space, number) for space in spaces)
    rules = range(len(before.rules))
    if question == "redundant":
        return sum(not holds(solver.Asked.is_needed, number) for number in rules)
    return sum(holds(solver.Asked.is_matched, number) and not holds(solver.Asked.decides, number) for number in rules)


def main(question):
    told = json.load(sys.stdin)
    before, after = (meaning.List("list", "Inbound", [rule(number, one) for number, one in enumerate(told[name])])
                     for name in ("before", "after"))
    begun = time.process_time()
    found = answer(question, before, after)
    milliseconds = (time.process_time() - begun) * 1e3
    print(json.dumps({"version": z3.get_version_string(), "milliseconds": milliseconds, "found": found}))


if __name__ == "__main__":
    main(*sys.argv[1:])
