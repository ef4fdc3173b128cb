# The report of bench/cpu. Input: the rows asked for, as bench/lib/rows.sh has them; then the samples: ROW PEER VALUE CHECK.
# Variables: format (table or json), peers, and for the heading runs, memory, kernel, processor.

FNR == NR { row[++rows] = $1; group[$1] = $2; goal[$1] = $3; next }
$3 != "none" { sample[$1, $2, ++count[$1, $2]] = $3 }
$4 != "-" {
    if (!($1 in expected)) { expected[$1] = $4; by[$1] = $2 }
    else if ($4 != expected[$1] && !(($1, $2) in told)) {
        told[$1, $2] = 1
        wrong[++wrongs] = $1 ": " $2 " computed " $4 ", " by[$1] " " expected[$1]
    }
}

END {
    asked = split(peers, peer, " ")
    for (p = 1; p <= asked; p++) present[peer[p]] = 1
    for (r = 1; r <= rows; r++) {
        for (p = 1; p <= asked; p++) median(row[r], peer[p])
        judge(row[r])
    }
    means()
    if (format == "json") json(); else table()
    exit wrongs > 0
}

# To mid, least and most; sorts the samples.
function median(r, p,    n, i, j, v) {
    if (!(n = count[r, p])) return
    for (i = 2; i <= n; i++) {
        v = sample[r, p, i]
        for (j = i - 1; j >= 1 && sample[r, p, j] > v; j--) sample[r, p, j + 1] = sample[r, p, j]
        sample[r, p, j + 1] = v
    }
    least[r, p] = sample[r, p, 1]
    most[r, p] = sample[r, p, n]
    mid[r, p] = n % 2 ? sample[r, p, (n + 1) / 2] : (sample[r, p, n / 2] + sample[r, p, n / 2 + 1]) / 2
}

# QEMU's better processor, the ratios and the mark of a row.
function judge(r,    p, name, factor, met, ahead) {
    factor = goal[r] ~ /^>=/
    for (p = 1; p <= asked; p++) {
        name = peer[p]
        if (name !~ /^qemu-/ || !((r, name) in mid)) continue
        if (!(r in best) || (factor ? mid[r, name] > mid[r, best[r]] : mid[r, name] < mid[r, best[r]])) best[r] = name
    }
    if (r in best) mid[r, "qemu"] = mid[r, best[r]]
    if (!factor && (r, "native") in mid && mid[r, "native"] > 0) {
        if ((r, "xm") in mid) ratio[r, "xm"] = mid[r, "xm"] / mid[r, "native"]
        if ((r, "qemu") in mid) ratio[r, "qemu"] = mid[r, "qemu"] / mid[r, "native"]
    }
    if (goal[r] == "-" || !((r, "xm") in mid)) return

    ahead = ""
    if (r in best) ahead = factor ? mid[r, "xm"] > mid[r, "qemu"] : mid[r, "xm"] < mid[r, "qemu"]
    if (factor) met = mid[r, "xm"] >= substr(goal[r], 3) + 0
    else if (goal[r] == "qemu") met = ahead
    else if ((r, "xm") in ratio) met = ratio[r, "xm"] <= goal[r] + 0
    else met = ""

    # Of a goal that nothing can be said about, the comparison with QEMU is left.
    if (met == 1) mark[r] = "met"
    else if (ahead != "") mark[r] = ahead ? "ahead" : "behind"
    else if (met != "") mark[r] = "short"
    if (r in mark) marks[mark[r]]++
    if (met == 1 && ahead == 0 && ahead != "") { slower[r] = 1; slowers++ }
}

# Geometric means over the rows with a ratio for a goal, in which no peer is missing.
function means(    r, name) {
    for (r = 1; r <= rows; r++) {
        name = row[r]
        if (goal[name] !~ /^[0-9]/) continue
        if (!((name, "native") in mid) || ("xm" in present && !((name, "xm") in ratio))) continue
        if (("qemu-max" in present || "qemu-qemu64" in present) && !((name, "qemu") in ratio)) continue
        averaged++
        if ((name, "xm") in ratio) { logs["xm"] += log(ratio[name, "xm"]); mean["xm"] = exp(logs["xm"] / averaged) }
        if ((name, "qemu") in ratio) { logs["qemu"] += log(ratio[name, "qemu"]); mean["qemu"] = exp(logs["qemu"] / averaged) }
    }
}

function seconds(r, p) { return (r, p) in mid ? sprintf("%.4f", mid[r, p]) : "-" }
function times(r, p) { return (r, p) in ratio ? sprintf("%.2f", ratio[r, p]) : "-" }
function words(r) {
    if (mark[r] == "met") return r in slower ? "met, behind QEMU" : "met"
    if (mark[r] == "ahead") return "ahead of QEMU, short of goal"
    if (mark[r] == "behind") return "behind QEMU"
    if (mark[r] == "short") return "short of goal"
    return goal[r] == "-" ? "not counted" : "-"
}

function table(    r, name, last, line, w) {
    printf "Seconds, native and in guests of %s MiB with Linux %s; ", memory, kernel
    print runs == 1 ? "one run" : "medians of " runs " runs"
    if (processor != "") print processor
    line = "%-16s %9s %9s %9s %-7s %9s %11s %7s  %s\n"
    printf "\n" line, "", "native", "xm", "QEMU", "", "xm/native", "QEMU/native", "goal", "mark"
    for (r = 1; r <= rows; r++) {
        name = row[r]
        if (r > 1 && group[name] != last) print ""
        last = group[name]
        printf line, name, seconds(name, "native"), seconds(name, "xm"), seconds(name, "qemu"), substr(best[name], 6),
            times(name, "xm"), times(name, "qemu"), goal[name] == "qemu" ? "< QEMU" : goal[name], words(name)
    }
    print ""
    if (averaged) printf line, "geometric mean", "", "", "", "", "xm" in mean ? sprintf("%.2f", mean["xm"]) : "-",
        "qemu" in mean ? sprintf("%.2f", mean["qemu"]) : "-", "", "of " averaged " row" (averaged == 1 ? "" : "s")
    printf "%d met", marks["met"]
    if (slowers) printf " (%d of them behind QEMU)", slowers
    printf ", %d ahead of QEMU but short of the goal, %d behind QEMU", marks["ahead"], marks["behind"]
    if (marks["short"]) printf ", %d short of the goal", marks["short"]
    print ""
    for (w = 1; w <= wrongs; w++) print "WRONG: " wrong[w]
    if (!wrongs) print "What the peers computed agrees."
}

function quoted(s) { gsub(/[\\"]/, "\\\\&", s); gsub(/[[:cntrl:]]/, " ", s); return "\"" s "\"" }

function json(    r, name, p, i, comma, w) {
    printf "{\n  \"kernel\": %s,\n  \"processor\": %s,\n  \"memory_mib\": %d,\n  \"runs\": %d,\n  \"rows\": [", quoted(kernel), quoted(processor), memory, runs
    for (r = 1; r <= rows; r++) {
        name = row[r]
        printf "%s\n    {\"row\": %s, \"group\": %s, \"unit\": %s, \"goal\": %s", (r > 1 ? "," : ""), quoted(name), quoted(group[name]),
            goal[name] ~ /^>=/ ? "\"times\"" : "\"s\"", goal[name] == "-" ? "null" : quoted(goal[name])
        if ((name, "xm") in ratio) printf ", \"xm_native\": %.4f", ratio[name, "xm"]
        if ((name, "qemu") in ratio) printf ", \"qemu_native\": %.4f", ratio[name, "qemu"]
        if (name in best) printf ", \"qemu_best\": %s", quoted(best[name])
        if (name in mark) printf ", \"mark\": %s", quoted(words(name))
        printf ", \"peers\": {"
        comma = ""
        for (p = 1; p <= asked; p++) {
            if (!((name, peer[p]) in mid)) continue
            printf "%s\n      %s: {\"median\": %.6f, \"least\": %.6f, \"most\": %.6f, \"sorted\": [", comma, quoted(peer[p]), mid[name, peer[p]],
                least[name, peer[p]], most[name, peer[p]]
            for (i = 1; i <= count[name, peer[p]]; i++) printf "%s%.6f", (i > 1 ? ", " : ""), sample[name, peer[p], i]
            printf "]}"
            comma = ","
        }
        printf "}}"
    }
    printf "\n  ],\n  \"geometric_mean\": {\"rows\": %d", averaged
    if ("xm" in mean) printf ", \"xm_native\": %.4f", mean["xm"]
    if ("qemu" in mean) printf ", \"qemu_native\": %.4f", mean["qemu"]
    printf "},\n  \"marks\": {\"met\": %d, \"met_behind_qemu\": %d, \"ahead_of_qemu\": %d, \"behind_qemu\": %d, \"short_of_goal\": %d},\n  \"wrong\": [",
        marks["met"], slowers, marks["ahead"], marks["behind"], marks["short"]
    for (w = 1; w <= wrongs; w++) printf "%s%s", (w > 1 ? ", " : ""), quoted(wrong[w])
    print "]\n}"
}
