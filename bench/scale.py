"""What bench/scale.sh says of its results: scale.py rate FILE | WHAT DIRECTORY PAIRS [MOST]."""

import json
import math
import sys

failed = 0


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def accepted(result):
    """The handshakes accepted in the measured time, and how long that was."""
    row = next(row for row in result["throughput"] if row["arm"] is None)
    return sum(row["blocks"]), len(row["blocks"]) * row["block_ns"] / 1e9


def rate(result):
    count, seconds = accepted(result)
    return count / seconds


def cpu_us(result):
    """All processor time of both sides for a handshake, whatever else the machine did meanwhile."""
    spent_ns = sum(
        stage["user_ns"] + stage["system_ns"]
        for side in ("server", "client")
        for stage in result["cpu"][side]["stages"]
    )
    return spent_ns / accepted(result)[0] / 1e3


def median(values):
    values = sorted(values)
    half = len(values) // 2
    return values[half] if len(values) % 2 else (values[half - 1] + values[half]) / 2


def interval(values):
    """The median's interval by order statistics, and its confidence: 95 % with six values or more."""
    values = sorted(values)
    best = 0
    below = 0.0
    for k in range(len(values) // 2):
        below += math.comb(len(values), k) / 2 ** len(values)
        if k == 0 or 1 - 2 * below >= 0.95:
            best, confidence = k, 1 - 2 * below
    if len(values) < 2:
        return values[0], values[0], 0.0
    return values[best], values[-1 - best], confidence


def shown(values, digits):
    low, high, confidence = interval(values)
    return f"{median(values):.{digits}f} [{low:.{digits}f}, {high:.{digits}f}] ({100 * confidence:.0f} %)"


def bar(met, text):
    global failed
    failed += not met
    print(f"{'met    ' if met else 'NOT MET'} {text}")


def at_most(name, value, limit):
    bar(value <= limit, f"{name}: {value:g} (at most {limit:g})")


def own_up(directory, pairs, name):
    """Says so if the runs of that name did not have the machine for themselves."""
    stages = [
        stage
        for i in range(1, pairs + 1)
        for stage in load(f"{directory}/{name}-{i}.json")["plan"]["stages"]
    ]
    slices = sum(stage.get("num_slices", 0) for stage in stages)
    dropped = sum(stage.get("num_slices_dropped", 0) for stage in stages)
    if 5 * dropped > slices:
        print(f"        other work or the hypervisor took the CPUs in {dropped} of {slices} slices: rates say little")


def ratios(directory, pairs, measure, above, below):
    """Of the runs called `above` to the mean of those called by the names in `below`."""
    return [
        measure(load(f"{directory}/{above}-{i}.json"))
        / (sum(measure(load(f"{directory}/{name}-{i}.json")) for name in below) / len(below))
        for i in range(1, pairs + 1)
    ]


def in_flight(directory, pairs):
    results = [load(f"{directory}/many-{i}.json") for i in range(1, pairs + 1)]
    arms = [arm for result in results for arm in result["arms"]]
    network = [stage["network"] for result in results for stage in result["plan"]["stages"]]
    sides = {
        side: [stage for result in results for stage in result["cpu"][side]["stages"]]
        for side in ("server", "client")
    }
    for name in ("failed", "unfinished"):
        at_most(f"20,000 in flight: {name}", sum(arm["handshakes"][name] for arm in arms), 0)
    for name in ("listen_overflows", "listen_drops"):
        at_most(f"20,000 in flight: {name}", sum(row.get(name, 0) for row in network), 0)
    for side, stages in sides.items():
        at_most(f"completion queue overflows, {side}", sum(row["ring_overflows"] for row in stages), 0)
        peak = min(row["peak_connections"] for row in stages)
        bar(peak >= (19900 if side == "client" else 19000), f"connections open at a time, {side}: {peak}")
        kib = max(row["memory_per_connection_bytes"] for row in stages) / 1024
        bar(kib <= 40, f"resident memory a connection, {side}: {kib:.1f} KiB (at most 40)")
        whole = max(row["memory_peak_bytes"] / row["peak_connections"] for row in stages) / 1024
        print(f"        with what the workers have at rest: {whole:.1f} KiB")
    by_rate = ratios(directory, pairs, rate, "many", ["before", "after"])
    bar(median(by_rate) >= 0.9, f"rate, 20,000 / 500 in flight: {shown(by_rate, 3)} (at least 0.9)")
    by_cpu = ratios(directory, pairs, cpu_us, "many", ["before", "after"])
    # Two workers share each CPU: what the runs say of disturbance is one another.
    print(f"        processor time of a handshake, 20,000 / 500: {shown(by_cpu, 3)}")


def cores(directory, pairs):
    by_rate = ratios(directory, pairs, rate, "two", ["one"])
    bar(median(by_rate) >= 1.8, f"rate, a CPU each / one for both: {shown(by_rate, 2)} (at least 1.8)")
    by_cpu = ratios(directory, pairs, cpu_us, "two", ["one"])
    print(f"        processor time of a handshake, a CPU each / one for both: {shown(by_cpu, 3)}")
    own_up(directory, pairs, "two")


def workers(directory, rounds, most):
    before = None
    for k in range(1, most + 1):
        rates = [rate(load(f"{directory}/workers-{k}-{i}.json")) for i in range(1, rounds + 1)]
        line = f"{k} + {k} workers: {shown(rates, 0)} handshakes/s"
        if before is not None:
            line += f"; the added pair adds {median([now - then for now, then in zip(rates, before)]):+.0f}"
        print(line)
        before = rates


what = sys.argv[1]
if what == "rate":
    one = load(sys.argv[2])
    print(f"{rate(one):.0f} handshakes/s, {cpu_us(one):.0f} us of CPU each, both sides")
elif what == "in-flight":
    in_flight(sys.argv[2], int(sys.argv[3]))
elif what == "cores":
    cores(sys.argv[2], int(sys.argv[3]))
else:
    workers(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
sys.exit(failed > 0)
