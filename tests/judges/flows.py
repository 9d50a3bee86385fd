#!/usr/bin/env python3
"""Others read the flow store of `palisade flows import` and agree with `palisade flows query`.

`flows.py PALISADE duckdb|spark`: the command and the engine. Lines of hosts and logs of Azure's are made up (always the same), imported, and
asked about by both: groups, filters, time, missing values, the folders' columns. Prints what was compared; any difference fails.
"""

import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

START = 1_795_352_400_000  # 2026-11-22T13:00:00Z
LINES = 20_000
SUMS = ("coalesce(sum(bytes_to_destination), 0) + coalesce(sum(bytes_to_source), 0)",
        "coalesce(sum(packets_to_destination), 0) + coalesce(sum(packets_to_source), 0)", "count(*)")

# What we are asked, and the same in SQL: options, columns, condition.
QUESTIONS = [
    ([], ["kind"], "true"),
    ([], ["format", "direction", "protocol"], "true"),
    ([], ["nic", "rule"], "true"),
    ([], ["remote_address"], "true"),
    ([], ["audited", "midstream", "icmp_type", "layer"], "true"),
    (["--kind", "deny,cut"], ["reason", "local_port"], "kind in ('deny', 'cut')"),
    (["--remote", "203.0.113.7"], ["nic"], "remote_address = '203.0.113.7'"),
    (["--remote", "2001:db8::7"], ["nic"], "remote_address = '2001:db8::7'"),
    (["--remote", "203.0.113.0/24", "--local-port", "400-500"], ["nsg"],
     "remote_address like '203.0.113.%' and local_port between 400 and 500"),
    (["--from", "2026-11-22T14:00:00Z", "--to", "2026-11-22T15:30:00Z", "--protocol", "Tcp"], ["local_address", "state"],
     "time >= timestamptz '2026-11-22 14:00:00+00:00' and time < timestamptz '2026-11-22 15:30:00+00:00' and protocol = 6"),
    (["--nic", "nic3", "--direction", "Inbound"], ["tcp_flags_to_source", "generation"], "nic = 'nic3' and direction = 'Inbound'"),
    (["--from", "2026-11-22T15:00:00Z", "--to", "2026-11-22T16:00:00Z"], ["kind"], "day = date '2026-11-22' and hour = 15"),
]


def lines(dice):
    """Lines of a host, for three hours."""
    for step in range(LINES):
        kind = dice.choice(["begin", "continue", "end", "end", "deny", "cut", "wouldDeny", "limit"])
        nic = dice.randrange(9)
        family = dice.random() < 0.8
        inside, outside = (f"10.0.0.{nic}", f"203.0.113.{dice.randrange(40)}") if family else (f"fd00::{nic + 1:x}", f"2001:db8::{dice.randrange(1, 20):x}")
        protocol = dice.choice(["Tcp", "Tcp", "Udp", "Icmp" if family else "Icmpv6", "132"])
        inbound = dice.random() < 0.6
        ends = [(outside, 50_000 + step % 999), (inside, dice.choice([22, 443, 3389, 450]))]
        (source, source_port), (destination, destination_port) = ends if inbound else ends[::-1]
        line = {"kind": kind, "timeMs": START + step * 540 + dice.randrange(100), "slot": nic, "direction": "Inbound" if inbound else "Outbound",
                "protocol": protocol, "source": source, "sourcePort": source_port, "destination": destination, "destinationPort": destination_port,
                "beganMs": START - dice.randrange(9_999), "rules": [], "audited": dice.random() < 0.1, "midstream": dice.random() < 0.1,
                "generation": dice.randrange(3), "packetsToDestination": dice.randrange(99), "packetsToSource": dice.randrange(99),
                "bytesToDestination": dice.randrange(1 << 40), "bytesToSource": dice.randrange(99_999)}
        if nic:
            line |= {"nic": f"nic{nic}", "nicId": f"/subscriptions/s/nics/nic{nic}", "interface": f"tap{nic}"}
        if dice.random() < 0.7:
            layer = dice.choice(["Admin", "Subnet", "NetworkInterface"])
            line["rules"] = [{"layer": layer, "list": "ünsg", "rule": f"securityRules/r{dice.randrange(4)}", "row": 1}]
            line |= {"layer": layer, "reason": "SubnetDeny" if kind == "deny" else "NetworkInterfaceAllow"}
        if protocol == "Tcp":
            line |= {"state": "Established", "tcpFlagsToDestination": "SA", "tcpFlagsToSource": dice.choice(["", "SPA", "RA"])}
        if protocol.startswith("Icmp"):
            line["icmpType"] = 8
        yield json.dumps(line, ensure_ascii=False)


def azure(dice):
    """A virtual network flow log."""
    tuples = [f"{START + step * 1_000},203.0.113.{dice.randrange(9)},10.0.0.9,{1_024 + step},443,6,I,{state},NX,{counters}"
              for step in range(2_000) for state, counters in [dice.choice([("B", "0,0,0,0"), ("E", f"{step},{step * 60},1,40"), ("D", "0,0,0,0")])]]
    return json.dumps({"records": [{"time": "2026-11-22T13:33:20Z", "flowLogVersion": 4, "macAddress": "000D3A123456", "category": "FlowLogFlowEvent",
                                    "targetResourceID": "/subscriptions/s/nics/azure", "flowRecords": {"flows": [
                                        {"aclID": "a", "flowGroups": [{"rule": "UserRule_web", "flowTuples": tuples}]}]}}]})


def ours(palisade, store, options, columns):
    command = [palisade, "flows", "query", store, *options, "--by", ",".join(columns), "--limit", "1000000", "--format", "json"]
    answer = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return sorted((tuple(map(str, (group[column] for column in columns))), group["bytes"], group["packets"], group["records"])
                  for group in answer["groups"])


def duckdb_engine(store):
    import duckdb

    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    table = f"read_parquet('{store}/**/*.parquet', hive_partitioning = true)"
    return duckdb.__version__, lambda sql: connection.execute(sql.format(table=table)).fetchall()


def spark_engine(store):
    import pyspark
    from pyspark.sql import SparkSession

    session = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").config("spark.sql.shuffle.partitions", "2")
    session = session.config("spark.sql.session.timeZone", "UTC").getOrCreate()
    session.read.parquet(store).createOrReplaceTempView("flows")
    return pyspark.__version__, lambda sql: [tuple(row) for row in session.sql(
        sql.format(table="flows").replace("timestamptz", "timestamp")).collect()]


def theirs(ask, columns, condition):
    names = ", ".join(columns)
    rows = ask(f"select {names}, {', '.join(SUMS)} from {{table}} where {condition} group by {names}")
    return sorted((tuple(map(str, row[:len(columns)])), *map(int, row[len(columns):])) for row in rows)


def main(palisade, engine):
    dice = random.Random(6)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "hosts.jsonl").write_text("\n".join(lines(dice)), encoding="utf-8")
        Path(folder, "PT1H.json").write_text(azure(dice), encoding="utf-8")
        store = f"{folder}/store"
        subprocess.run([palisade, "flows", "import", f"{folder}/hosts.jsonl", f"{folder}/PT1H.json", "--to", store], check=True,
                       stdout=subprocess.DEVNULL)
        version, ask = {"duckdb": duckdb_engine, "spark": spark_engine}[engine](store)
        groups = 0
        for options, columns, condition in QUESTIONS:
            mine, others = ours(palisade, store, options, columns), theirs(ask, columns, condition)
            if mine != others:
                differ = [pair for pair in zip(mine, others) if pair[0] != pair[1]][:3]
                sys.exit(f"{engine} {version} differs, by {columns} where {condition}: {len(mine)} and {len(others)} groups; {differ}")
            if not mine:
                sys.exit(f"nothing passes where {condition}: the question compares nothing")
            groups += len(mine)
        print(f"flows: {engine} {version} agrees on {len(QUESTIONS)} questions, {groups} groups of {LINES + 2_000} records")


if __name__ == "__main__":
    main(*sys.argv[1:])
