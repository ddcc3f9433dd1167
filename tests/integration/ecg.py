#!/usr/bin/env python3
# as: root user memlock
"""Does the ECG workflow in cells compute what it should?

Features equal independently computed references, predictions equal those of the reference forests, a forest
trained in cells equals the one that the ordinary program trains, bit for bit; each request is 81 tasks, none
of which runs in the program's own process; a bad recording spoils no other. With PhysioNet's recordings
where they are, else with made ones only."""

import csv
import io
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from celljob import BUILD, SCRATCH, SOURCE, check, ecg_data, ecg_program, finish, run, skip_part

NATIVE = BUILD / "examples/ecg/ecg-native"
MADE, RECORD = SCRATCH / "made", SCRATCH / "record.json"
MADE_COUNT, TREES, TASKS_OF_REQUEST = 20, 5, 81
SEED = "1"  # of the golden values
RELATIVE, PROBABILITY = 1e-5, 1e-12
MEMORY = ["--heap", "1G"]


def ecg(arguments, data, *options, read_only=True, **others):
    place = f"{data}:/data" + (":ro" if read_only else "")
    return run(["-q", *MEMORY, "--dir", place, "--dir", f"{SCRATCH}:/scratch", *options, *PROGRAM, *arguments], **others)


def table(text):
    """CSV as {record: {column: value}}; of equal length in every row."""
    rows = list(csv.DictReader(io.StringIO(text)))
    return {row.pop("record"): row for row in rows}


def worst(got, expected, columns, relative):
    """The greatest difference of all columns of all records."""
    most = 0.0
    for record, row in got.items():
        for column in columns:
            x, y = float(row[column]), float(expected[record][column])
            most = max(most, abs(x - y) / max(1.0 if not relative else abs(y), 1e-6 if relative else 1.0))
    return most


def check_features(data, names, expected, what):
    job = ecg(["features", "--kind", "compact", *(f"/data/{name}.mat" for name in names)], data)
    got = table(job.stdout)
    check(job.returncode == 0 and list(got) == names, f"{what}: features of {len(got)} recordings {job.stderr}")
    columns = [column for column in next(iter(expected.values())) if column not in ("label", "split")]
    difference = worst(got, expected, columns, True)
    check(len(columns) == 111 and difference <= RELATIVE, f"{what}: {len(columns)} columns, off by {difference:.1e} at most, relative")


def check_made():
    """Made recordings: cells and the ordinary program do the same, and what the references say."""
    MADE.mkdir()
    native = SCRATCH / "native"
    native.mkdir()
    job = ecg(["synth", "--dir", "/data", "--count", MADE_COUNT, "--seed", SEED], MADE, read_only=False)
    subprocess.run([NATIVE, "synth", "--dir", native, "--count", str(MADE_COUNT), "--seed", SEED], check=True, timeout=300)
    names = sorted(path.stem for path in native.glob("*.mat"))
    check(job.returncode == 0 and all((MADE / path.name).read_bytes() == path.read_bytes() for path in native.iterdir()),
          f"{len(names)} made recordings are the same bytes in cells as natively {job.stderr}")
    golden = table((SOURCE / "tests/data/ecg_golden_compact.csv").read_text(encoding="ascii"))
    check_features(MADE, names, golden, "made recordings")
    for kind in ("compact", "spectrogram"):
        ours = ecg(["features", "--kind", kind, *(f"/data/{name}.mat" for name in names[:5])], MADE).stdout
        theirs = subprocess.run([NATIVE, "features", "--kind", kind, *(MADE / f"{name}.mat" for name in names[:5])],
                                check=True, capture_output=True, text=True, timeout=300).stdout
        check(ours == theirs, f"{kind} features in cells are natively the same, {len(ours)} characters")


def check_training():
    """The same forest, to the last character; and it can be used."""
    arguments = ["--labels", "/data/labels.csv", "--dir", "/data", "--trees", TREES, "--seed", "7"]
    job = ecg(["train", *arguments, "-o", "/scratch/cells.txt"], MADE, "--record", RECORD)
    subprocess.run([NATIVE, "train", *(str(word).replace("/data", str(MADE)) for word in arguments),
                    "-o", SCRATCH / "native.txt"], check=True, timeout=300)
    same = job.returncode == 0 and (SCRATCH / "cells.txt").read_bytes() == (SCRATCH / "native.txt").read_bytes()
    check(same, f"a forest of {TREES} trees trained in cells is natively the same {job.stderr}")
    functions = {each["name"]: each["runs"] for each in said()["functions"]}
    check(TREES in functions.values(), f"each tree was a task: {functions}")
    outputs = [ecg(["evaluate", "--forest", "/scratch/cells.txt", "--labels", "/data/labels.csv", "--dir", "/data", "--split", "all"],
                   MADE), subprocess.run([NATIVE, "evaluate", "--forest", SCRATCH / "cells.txt", "--labels", MADE / "labels.csv",
                                          "--dir", MADE, "--split", "all"], capture_output=True, text=True, check=False, timeout=300)]
    check(outputs[0].returncode == 0 and outputs[0].stdout == outputs[1].stdout, f"it is judged the same {outputs[0].stderr}")


def said():
    """What the agent says in the last record."""
    return json.loads(RECORD.read_text(encoding="utf-8"))["agent"]


def check_request():
    """One request, as the record tells it."""
    ecg(["train", "--labels", "/data/labels.csv", "--dir", "/data", "--trees", "40", "-o", "/scratch/forty.txt"], MADE)
    job = ecg(["predict", "--forest", "/scratch/forty.txt", "--kind", "compact", "/data/S00001.mat"], MADE, "--record", RECORD,
              "--executors", "2")
    check(job.returncode == 0, f"a prediction {job.stderr}")
    tasks, executors = said()["tasks"], said()["executors"]
    runs = {each["name"]: each["runs"] for each in said()["functions"]}
    request = {name: runs.get(name) for name in ("predict_branch", "merge_branches", "soft_vote")}
    check(request == {"predict_branch": 40, "merge_branches": 40, "soft_vote": 1} and sum(request.values()) == TASKS_OF_REQUEST,
          f"a request is {TASKS_OF_REQUEST} tasks: {request}")
    drivers = [each for each in executors if each["role"] == "driver"]
    workers = [each for each in executors if each["role"] == "tasks"]
    check(len(drivers) == 1 and drivers[0]["attempts"] == 0 and len({each["pid"] for each in executors}) == len(executors),
          "no task ran in the program's own process")
    # A short job may be over before the second executor is there.
    check(len(workers) in (1, 2) and sum(each["attempts"] for each in workers) == sum(runs.values()) == tasks["done"],
          f"all {tasks['done']} ran in the {len(workers)} others: {[each['attempts'] for each in workers]}")


def check_bad_recordings():
    good = (MADE / "S00001.mat").read_bytes()
    for name, content in (("cut", good[:100]), ("empty", b""), ("text", b"not a recording\n" * 100), ("flipped", good[:8] + b"\xff" * 4 + good[12:])):
        (SCRATCH / f"{name}.mat").write_bytes(content)
    job = ecg(["features", "/data/S00001.mat", "/scratch/cut.mat", "/data/S00002.mat", "/scratch/empty.mat", "/scratch/text.mat",
               "/scratch/flipped.mat", "/scratch/gone.mat", "/data/S00003.mat"], MADE)
    check(job.returncode == 1 and list(table(job.stdout)) == ["S00001", "S00002", "S00003"],
          f"bad recordings do not spoil the others: {list(table(job.stdout))}")
    check(all(f"{name}.mat" in job.stderr for name in ("cut", "empty", "text", "flipped", "gone")), "each of them is named")
    forest = (SCRATCH / "cells.txt").read_bytes()
    (SCRATCH / "bad.txt").write_bytes(forest[:len(forest) // 2])
    job = ecg(["predict", "--forest", "/scratch/bad.txt", "/data/S00001.mat"], MADE)
    check(job.returncode == 1 and "bad.txt" in job.stderr and not job.stdout.startswith("S0"), f"a forest cut short: {job.stderr!r}")


def check_real(data):
    names = sorted(path.stem for path in (data / "training2017").glob("A*.mat"))
    references = table((data / "features_compact.csv").read_text(encoding="ascii"))
    names = [name for name in names if name in references]
    check_features(data / "training2017", names[::len(names) // 20][:20], references, "real recordings")
    for kind in ("compact", "spectrogram"):
        if kind == "spectrogram" and os.geteuid() != 0 and resource.getrlimit(resource.RLIMIT_MEMLOCK)[1] in range(64 << 20):
            skip_part("spectrogram-forest", "it needs more secret memory than this user's limit of locked memory")
            continue
        expected = table((data / f"expected_proba_{kind}.csv").read_text(encoding="ascii"))
        some = [name for name in expected if (data / f"training2017/{name}.mat").exists()][:10]
        job = ecg(["predict", "--forest", f"/data/forest_{kind}.txt", "--kind", kind,
                   *(f"/data/training2017/{name}.mat" for name in some)], data)
        got = table(job.stdout)
        check(job.returncode == 0 and list(got) == some and len(some) == 10, f"{kind}: predictions of {len(got)} recordings {job.stderr}")
        difference = worst(got, expected, ("pN", "pA", "pO", "pNoise"), False)
        check(difference <= PROBABILITY, f"{kind}: the reference's probabilities, off by {difference:.1e} at most")
    check_real_judgement(data)


def check_real_judgement(data):
    """The accuracy that the references' probabilities give for these recordings is the one that is printed."""
    expected = table((data / "expected_proba_compact.csv").read_text(encoding="ascii"))
    some = [name for name in expected if (data / f"training2017/{name}.mat").exists()][:60]
    classes = {"pN": "N", "pA": "A", "pO": "O", "pNoise": "~"}
    right = sum(expected[name]["label"] == classes[max(classes, key=lambda p, row=expected[name]: float(row[p]))] for name in some)
    lines = ["record,label,split", *(f"{name},{expected[name]['label']},test" for name in some)]
    (SCRATCH / "labels.csv").write_text("\n".join(lines) + "\n", encoding="ascii")
    job = ecg(["evaluate", "--forest", "/data/forest_compact.txt", "--labels", "/scratch/labels.csv", "--dir", "/data/training2017"], data)
    printed = next((line for line in job.stdout.splitlines() if line.startswith("accuracy")), job.stderr)
    value = float(printed.split()[1]) if job.returncode == 0 else -1
    check(abs(value - right / len(some)) < 0.001, f"{len(some)} test recordings: {printed}, by the references {right / len(some):.4f}")


def main():
    global PROGRAM
    PROGRAM = ecg_program()
    os.environ["TMPDIR"] = str(SCRATCH)
    check_made()
    check_training()
    check_request()
    check_bad_recordings()
    data = ecg_data()
    if data and (data / "features_compact.csv").exists():
        check_real(data)
    else:
        skip_part("real-recordings", "PhysioNet's recordings and their references are not here")
    finish()


main()
