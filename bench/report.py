"""Writes what was measured: RESULTS.md for people, results.json for programs, results.svg as a chart."""
import json
import os
import platform
import subprocess
from html import escape


def machine():
    with open("/proc/cpuinfo") as file:
        models = [line.split(":")[1].strip() for line in file if line.startswith("model name")]
    return {
        "openssh": subprocess.run(["ssh", "-V"], capture_output=True, text=True, check=True).stderr.strip(),
        "cores": os.cpu_count(), "model": models[0] if models else platform.machine(), "kernel": platform.release(),
        "memoryGiB": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)}


def cell(figures, digits):
    return f"{figures['median']:.{digits}f} ({figures['lowest']:.{digits}f}-{figures['highest']:.{digits}f})"


def value_text(value):
    """A figure with its significant digits."""
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return f"{value:,}"
    middle = value["median"] if isinstance(value, dict) else value
    digits = 0 if abs(middle) >= 100 else 1 if abs(middle) >= 10 else 2
    if isinstance(value, dict):
        return f"{middle:,.{digits}f} ({value['lowest']:,.{digits}f}-{value['highest']:,.{digits}f})"
    return f"{middle:,.{digits}f}"


def table(headers, lines):
    return "\n".join(
        ["| " + " | ".join(headers) + " |", "|" + " --- |" * len(headers)]
        + ["| " + " | ".join(str(value) for value in line) + " |" for line in lines])


def section_text(section):
    parts = [f"## {section['title']}"]
    if "text" in section:
        parts.append(section["text"])
    if "rows" in section and "cpu" in section["rows"][0]:
        parts.append(table(
            ["", "version", "wall, s", "x floor", "client CPU per host, ms", "x floor", "peak memory, MiB"],
            [[row["peer"], row["version"], cell(row["wall"], 2), f"{row['wallRatio']:.2f}", cell(row["cpu"], 2),
              f"{row['cpuRatio']:.2f}", cell(row["memory"], 1)] for row in section["rows"]]))
    elif "rows" in section:
        parts.append(table(
            ["", "version", "wall, s"],
            [[row["peer"], row["version"], cell(row["wall"], 3)] for row in section["rows"]]))
    if "upgrades" in section:
        parts.append(table(
            ["", "version", "wall, s", "x Lockflight", "coordinator CPU, s", "x Lockflight", "peak memory, MiB",
             "sent both ways, MiB"],
            [[row["peer"], row["version"], cell(row["wall"], 2), f"{row['wallRatio']:.1f}", cell(row["cpu"], 2), f"{row['cpuRatio']:.1f}",
              cell(row["memory"], 0), cell(row["wire"], 1)] for row in section["upgrades"]]))
    if "counts" in section:
        parts.append(table(
            ["", "version", "killed", "called good", "done", "wrong successes"],
            [[row[name] for name in ("peer", "version", "killed", "good", "done", "wrong")] for row in section["counts"]]))
    if "figures" in section:
        parts.append(table(
            section["figures"]["headers"],
            [[value_text(value) for value in line.values()] for line in section["figures"]["lines"]]))
    if section["goals"]:
        parts.append("\n".join(
            f"- {'met' if goal['met'] else '**missed**'}: {goal['goal']}: {goal['value']:.2f}" for goal in section["goals"]))
    return "\n\n".join(parts)


def markdown(results):
    found = results["machine"]
    head = (
        "# What was measured\n\nBy `make bench`, which writes this page. Medians and ranges of interleaved rounds; everyone with the "
        "same key, the same width and\nstrict host keys (parallel-ssh has none), over real sshd on loopback. The servers take most "
        "of the time of a fan-out on so few cores.\n\n"
        f"{results['date']}, {found['cores']} cores of {found['model']}, {found['memoryGiB']} GiB, Linux {found['kernel']}, "
        f"{found['openssh']}.")
    return "\n\n".join([head, *map(section_text, results["sections"])]) + "\n"


def summary(results):
    """The summary at the end of the output: peers that were left out, each item's time, each goal."""
    lines = [f"left out, because not installed: {package}" for package in results["leftOut"]]
    lines += [f"{seconds:6.1f} s  {name}" for name, seconds in results["seconds"].items()]
    for section in results["sections"]:
        lines += [
            f"{'met   ' if goal['met'] else 'MISSED'}  {section['item']}: {goal['goal']}: {goal['value']:.2f}"
            for goal in section["goals"]]
    return "\n".join(lines)


BAR, LEFT, WIDE = 22, 190, 760


def svg(results):
    """Bars of wall time and client CPU of the first section."""
    section = next(section for section in results["sections"] if "rows" in section and "cpu" in section["rows"][0])
    parts, top = [], 40
    for what, unit, words in (("wall", "s", "wall time"), ("cpu", "ms", "client CPU per host")):
        parts.append(f'<text x="8" y="{top}" font-weight="bold">{words}, {unit}</text>')
        longest = max(row[what]["median"] for row in section["rows"])
        for row in section["rows"]:
            top += BAR
            value = row[what]["median"]
            length = (WIDE - LEFT - 70) * value / longest
            colour = "#2b6cb0" if row["peer"] == "Lockflight" else "#a0aec0"
            parts.append(
                f'<text x="{LEFT - 8}" y="{top}" text-anchor="end">{escape(row["peer"])}</text>'
                f'<rect x="{LEFT}" y="{top - 13}" width="{length:.1f}" height="16" fill="{colour}"/>'
                f'<text x="{LEFT + length + 6:.1f}" y="{top}">{value:.2f}</text>')
        top += 2 * BAR
    title = escape(section["title"].replace("`", ""))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {top}" font-family="sans-serif" font-size="12">'
        f'<rect width="{WIDE}" height="{top}" fill="white"/><text x="8" y="18" font-size="14">{title}</text>'
        + "".join(parts) + "</svg>\n")


def write(results, folder):
    (folder / "results.json").write_text(json.dumps(results, indent=2) + "\n")
    (folder / "RESULTS.md").write_text(markdown(results))
    (folder / "results.svg").write_text(svg(results))
