"""The rows of bench/peers/run.sh as tables and ratios: ratios.py ROWS CONFIRM

A ratio is taken in each round, where what both sides share cancels, and its median is given; the interval
(95 %) inverts Wilcoxon's signed-rank test over the logarithms of the ratios, with its exact distribution.
Exit status: 1 if a bar is not met. It is met if the whole interval lies above it.
"""

import collections
import math
import statistics
import sys

TITLES = {
    "one-way": "Clients, one-way TLS, against nginx: per second of the client's CPU",
    "mtls": "Clients, mutual TLS, against nginx: per second of the client's CPU",
    "server": "Servers, mutual TLS, from ekubench load: per second of the server's CPU",
}
# What, ours, theirs, bar (None: for information).
BARS = [
    ("one-way", "ekubench", "openssl s_time", 2.5),
    ("one-way", "ekubench, asking", "h2load", 2.5),
    ("one-way", "ekubench, insecure", "h2load", None),
    ("mtls", "ekubench", "openssl s_time", 2.5),
    ("server", "ekubench", "nginx", 2.0),
    ("server", "ekubench", "haproxy", 2.0),
    ("server", "ekubench", "stunnel", None),
    ("server", "ekubench", "s_server", None),
]


def rank_interval(values, alpha=0.05):
    """The interval of the median of `values`, if symmetrical; None if they are too few for alpha."""
    n = len(values)
    # Of the 2^n equally likely patterns of signs, how many have each sum of positive ranks.
    counts = [1]
    for rank in range(1, n + 1):
        longer = counts + [0] * rank
        for i, count in enumerate(counts):
            longer[i + rank] += count
        counts = longer
    skip, below = 0, counts[0]
    while below <= alpha / 2 * 2**n:
        skip += 1
        below += counts[skip]
    if skip == 0:
        return None
    averages = sorted((values[i] + values[j]) / 2 for i in range(n) for j in range(i, n))
    return averages[skip - 1], averages[-skip]


def read(path):
    """By what and who: the rows in order of the rounds, as (handshakes, CPU seconds, seconds)."""
    rows = collections.defaultdict(lambda: collections.defaultdict(list))
    with open(path, encoding="utf-8") as file:
        for line in file:
            what, who, handshakes, cpu_s, wall_s = line.rstrip("\n").split("\t")
            rows[what][who].append((int(handshakes), float(cpu_s), float(wall_s)))
    return rows


def print_table(title, table):
    print(f"\n{title}\n{'':20} {'per CPU s':>10} {'us of CPU':>10} {'per s':>8} {'CPU busy':>9}")
    for who in sorted(table, key=lambda who: -statistics.median(n / cpu for n, cpu, _ in table[who])):
        turns = table[who]
        per_cpu_s = statistics.median(n / cpu for n, cpu, _ in turns)
        per_s = statistics.median(n / wall for n, _, wall in turns)
        busy = statistics.median(100 * cpu / wall for _, cpu, wall in turns)
        print(f"{who:20} {per_cpu_s:10.0f} {1e6 / per_cpu_s:10.0f} {per_s:8.0f} {busy:7.0f} %")


def print_ratio(what, ours, theirs, bar, table):
    """Returns True if it is a bar, and not met."""
    logs = [math.log(a[0] / a[1] * b[1] / b[0]) for a, b in zip(table[ours], table[theirs])]
    interval = rank_interval(logs)
    text = f"{math.exp(statistics.median(logs)):.2f}"
    if interval is not None:
        text += f" [{math.exp(interval[0]):.2f}, {math.exp(interval[1]):.2f}]"
    met = bar is not None and interval is not None and math.exp(interval[0]) >= bar
    if bar is None:
        word, limit = "       ", ""
    else:
        word, limit = "met    " if met else "NOT MET", f" (at least {bar:g})"
    if interval is None:
        limit += ": too few rounds for an interval"
    print(f"{word} {what}: {ours} / {theirs}: {text}{limit}")
    return bar is not None and not met


def main():
    rows = read(sys.argv[1])
    for what, title in TITLES.items():
        if what in rows:
            print_table(title, rows[what])
            if what == "mtls":
                print(f"{'h2load':20} {'cannot':>10}: it has no client certificate")
            if what == "server" and sys.argv[2] == "none":
                print("Accepted by the client's own account: it has no word from the servers that are not ours.")
    print()
    num_not_met = 0
    for what, ours, theirs, bar in BARS:
        if what in rows and theirs in rows[what]:
            num_not_met += print_ratio(what, ours, theirs, bar, rows[what])
        elif what in rows and bar is not None:
            print(f"not tried {what}: {ours} / {theirs}")
    sys.exit(num_not_met > 0)


main()
