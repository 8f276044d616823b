#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Make a trace for cubby_sim of what record.sh recorded.

    convert.py DIR CUBBY >TRACE

DIR has the cache directory `cache`, in which everything that was ever added
still is, what strace said in `strace/*`, and `steps`: for each step when it
began and at what time of the trace, both in ms. CUBBY is the tool: an entry's
size is what the library stores for it.

A line of the trace is `time_ms key size op [needs]`. Keys are numbers in the
order of appearance. `op` is
    get      the client opened an entry that was there
    add      the client made an entry, whether or not it was there before
    touch    it asked for the attributes, or set the time, and did not read
    delete   it deleted an entry
and `needs` is another key, without which a client has no use for this one: a
record of Go or Bazel says what output an action had, and without the output the
action is done again. Times are in steps of 100 ms.

A get within ten seconds of a get or add of the same key is left out, and a
touch within ten seconds of anything: a build opens some files hundreds of times,
which a mount does not see, as the kernel has them, and which every policy hits.
"""
import hashlib
import os
import re
import subprocess
import sys

ENTRY = re.compile(r"(ac_)?[0-9a-v]{30,128}(-[a-z0-9]{1,8})?$")
CALL = re.compile(r'(\d+) +([\d.]+) (\w+)\((.*)\) += (-?\d+)')
PATH = re.compile(r'"((?:[^"\\]|\\.)*)"')
RESUMED = re.compile(r"(\d+) +[\d.]+ <\.\.\. \w+ resumed>(.*)")
AGAIN_MS = 10000
STATS = ("newfstatat", "stat", "lstat", "statx", "access", "faccessat",
         "faccessat2", "utimensat")
OPENS = ("openat", "open", "creat")


def calls(path):
    """Each successful call of a strace file: ms, name, arguments."""
    begun = {}
    with open(path, errors="replace") as lines:
        for line in lines:
            if "<unfinished ...>" in line:
                begun[line.split(" ", 1)[0]] = line.split("<unfinished")[0]
                continue
            resumed = RESUMED.match(line)
            if resumed:
                line = begun.pop(resumed[1], "") + resumed[2]
            call = CALL.match(line)
            if call and not call[5].startswith("-"):
                yield float(call[2]) * 1000, call[3], call[4]


def operations(name, arguments):
    """What a call does to paths: (path, op)."""
    paths = PATH.findall(arguments)
    if name in OPENS:
        if "O_DIRECTORY" in arguments or "O_PATH" in arguments:
            return
        makes = name == "creat" or "O_CREAT" in arguments
        yield paths[0], "add" if makes else "get"
    elif name.startswith("rename"):
        yield paths[0], "delete"
        yield paths[1], "add"
    elif name.startswith("link"):
        yield paths[1], "add"
    elif name.startswith("unlink"):
        yield paths[0], "delete"
    elif name in STATS and paths:
        yield paths[0], "touch"


def stored_sizes(top, paths, cubby):
    """What the library stores for each of the files."""
    store = os.path.join(top, "measured")
    names = {}
    for path in paths:
        key = hashlib.sha256(path.encode()).hexdigest()
        names[key] = path
        with open(path, "rb") as content:
            subprocess.run([cubby, "add", store, "sim/" + key], stdin=content,
                           check=True)
    listed = subprocess.run([cubby, "list", store], check=True, text=True,
                            stdout=subprocess.PIPE).stdout
    sizes = {}
    for line in listed.splitlines():
        fields = line.split()
        sizes[names[fields[-1].split("/")[-1]]] = int(fields[1])
    return sizes


def needed(cache, path):
    """The path of the output that a record is about, or None."""
    name = os.path.basename(path)
    with open(path, "rb") as content:
        text = content.read(4096).decode("latin-1")
    if name.endswith("-a"):
        output = text.split(" ")[2] + "-d"
        return os.path.join(cache, output[:2], output)
    if name.startswith("ac_"):
        output = re.search("[0-9a-f]{64}", text)
        return output and os.path.join(cache, output[0])
    return None


def main():
    top, cubby = sys.argv[1:3]
    cache = os.path.join(top, "cache")
    with open(os.path.join(top, "steps")) as lines:
        steps = [tuple(map(int, line.split())) for line in lines]
    straces = os.path.join(top, "strace")
    events = []
    for file in sorted(os.listdir(straces)):
        for ms, name, arguments in calls(os.path.join(straces, file)):
            for path, op in operations(name, arguments):
                path = os.path.normpath(path)
                if (path.startswith(cache + "/") and
                        ENTRY.match(os.path.basename(path))):
                    events.append((ms, path, op))
    events.sort(key=lambda event: event[0])

    paths = {event[1] for event in events}
    there = {path for path in paths if os.path.isfile(path)}
    if len(there) < len(paths):
        print(f"convert.py: {len(paths) - len(there)} of {len(paths)} files "
              "are gone", file=sys.stderr)
    sizes = stored_sizes(top, sorted(there), cubby)
    needs = {path: needed(cache, path) for path in there}
    keys, asked, used, step = {}, {}, {}, 0
    for ms, path, op in events:
        if path not in there:
            continue
        while step + 1 < len(steps) and ms >= steps[step + 1][0]:
            step += 1
        time = max(0, round(ms - steps[step][0])) + steps[step][1]
        time -= time % 100
        if (op == "get" and time - asked.get(path, -AGAIN_MS) < AGAIN_MS or
                op == "touch" and time - used.get(path, -AGAIN_MS) < AGAIN_MS):
            continue
        used[path] = time
        if op in ("get", "add"):
            asked[path] = time
        key = keys.setdefault(path, len(keys))
        also = needs[path] if needs[path] in there else None
        also = "" if also is None else f" {keys.setdefault(also, len(keys))}"
        print(f"{time} {key} {sizes[path]} {op}{also}")


main()
