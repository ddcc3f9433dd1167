#!/bin/bash
# Does the ECG program, built natively, keep its promises to users: CSV formats, exit statuses, clear errors, and
# a useful classifier from made recordings? (What it computes is tested by unit/ecg_*.)
# as: root user
# no memlock: what it runs has ordinary memory
. "$(dirname "$0")/lib.sh"

ecg=$build/examples/ecg/ecg-native
data=$work/data
mkdir "$data"

# Help: each verb has an example, and its exit status is 0.
expect_status 0 "$ecg" --help
expect_match '^example: ecg ' "$work/out"
for verb in features train predict evaluate synth; do
	expect_match "^  $verb " "$work/out"
	expect_status 0 "$ecg" "$verb" --help
	expect_match "^example: ecg $verb " "$work/out"
	expect_status 0 "$ecg" --help
done

# The way from recordings to a judged forest.
expect_status 0 "$ecg" synth --count 240 --seed 3 --dir "$data"
expect_equal 240 "$(find "$data" -name '*.mat' | wc -l)"
expect_match '^S00240,[NAO~],(train|test)$' "$data/labels.csv"
expect_status 0 "$ecg" features "$data"/S0000[1-3].mat
expect_equal "S00001 S00002 S00003" "$(tail -n +2 "$work/out" | cut -d, -f1 | paste -sd' ')"
expect_equal "record,dur_s,n_beats" "$(head -n 1 "$work/out" | cut -d, -f1-3)"
expect_equal 112 "$(tail -n 1 "$work/out" | tr ',' '\n' | wc -l)"
expect_status 0 "$ecg" features --kind spectrogram "$data/S00001.mat"
expect_equal "record,s0 s18809" "$(head -n 1 "$work/out" | cut -d, -f1,2) $(head -n 1 "$work/out" | grep -o '[^,]*$')"
expect_equal 18811 "$(tail -n 1 "$work/out" | tr ',' '\n' | wc -l)"

forest=$work/forest.txt
expect_status 0 "$ecg" train --labels "$data/labels.csv" --dir "$data" --trees 40 --seed 0 -o "$forest"
expect_equal "n_trees 40" "$(sed -n 2p "$forest")"
expect_status 0 "$ecg" features "$data"/S*.mat
cp "$work/out" "$work/features.csv"
expect_status 0 "$ecg" train --labels "$data/labels.csv" --features "$work/features.csv" -o "$work/again.txt"
cmp "$forest" "$work/again.txt" || fail "the same rows gave another forest"
expect_status 0 "$ecg" evaluate --forest "$forest" --labels "$data/labels.csv" --dir "$data"
cp "$work/out" "$work/judgement"
expect_match '^accuracy +(0\.[89]|1)' "$work/out"
expect_match '^F1 ' "$work/out"
expect_status 0 "$ecg" evaluate --forest "$forest" --labels "$data/labels.csv" --features "$work/features.csv"
cmp "$work/out" "$work/judgement" || fail "features from a file are judged otherwise than recordings"

expect_status 0 "$ecg" predict --forest "$forest" --kind compact "$data/S00001.mat" "$data/S00002.mat"
expect_equal "record,pN,pA,pO,pNoise" "$(head -n 1 "$work/out")"
expect_match '^S00002(,(0|1|0?\.[0-9]+|0\.[0-9]+)){4}$' "$work/out"
expect_status 0 "$ecg" predict --forest "$forest" --repeat 5 --timings "$work/times" "$data/S00001.mat"
expect_match '"requests": 5, "tasks": 81, "first_ms": [0-9.]+, "mean_rest_ms": [0-9.]+' "$work/times"

# One bad recording: it is named, the others are answered, the status is 1.
cp "$data/S00001.mat" "$data/good.mat"
head -c 100 "$data/good.mat" >"$data/cut.mat"
expect_status 1 "$ecg" features "$data/S00001.mat" "$data/cut.mat" "$data/S00002.mat" "$data/gone.mat"
expect_equal 3 "$(wc -l <"$work/out")"
expect_match 'cut.mat: byte 100: the file ends here' "$work/err"
expect_match 'gone.mat: cannot open the recording: No such file' "$work/err"
expect_match '2 of 4 recordings cannot be used' "$work/err"
expect_status 1 "$ecg" predict --forest "$forest" "$data/cut.mat" "$data/S00001.mat"
expect_equal 2 "$(wc -l <"$work/out")"

# Recordings that are not there are left out of training and judgement, malformed ones are not.
mapfile -t trained < <(sed -n 's/,[NAO~],train$//p' "$data/labels.csv")
rm "$data/${trained[0]}.mat"
expect_status 0 "$ecg" train --labels "$data/labels.csv" --dir "$data" --trees 2 -o "$work/two.txt"
expect_match '1 of [0-9]+ recordings are not there and were left out' "$work/err"
expect_status 1 "$ecg" train --labels "$data/labels.csv" --dir "$work" --trees 2
expect_match 'none of the [0-9]+ recordings is there; check --dir' "$work/err"
cp "$data/cut.mat" "$data/${trained[1]}.mat"
expect_status 1 "$ecg" train --labels "$data/labels.csv" --dir "$data" --trees 2
expect_match "${trained[1]}.mat: byte 100" "$work/err"

# Malformed files: the file and the line.
head -n 30 "$forest" >"$work/cut.txt"
expect_status 1 "$ecg" predict --forest "$work/cut.txt" "$data/good.mat"
expect_match 'cut.txt: the file ends behind line 30, expected a node' "$work/err"
expect_status 1 "$ecg" predict --forest "$forest" --kind spectrogram "$data/good.mat"
expect_match 'the forest was trained on compact features, but --kind is spectrogram' "$work/err"
sed '3s/,[NAO~],/,X,/' "$data/labels.csv" >"$work/labels.csv"
expect_status 1 "$ecg" evaluate --forest "$forest" --labels "$work/labels.csv" --dir "$data"
expect_match "labels.csv: line 3: the label is 'X'" "$work/err"
expect_status 1 "$ecg" features --kind compact /dev/null
expect_status 1 "$ecg" train --labels "$data/labels.csv" --features "$work/features.csv" -o "$work/nowhere/f"
expect_match 'nowhere/f: cannot create the forest' "$work/err"

# Mistakes on the command line: status 2 and where help is.
while read -r arguments; do
	# shellcheck disable=SC2086
	expect_status 2 "$ecg" $arguments
	expect_match 'ecg' "$work/err"
done <<-END

	paint
	features
	features --trees 4 x.mat
	train
	train --labels x
	train --labels x --dir y z
	train --features x --dir y
	train --labels x --dir y --trees 0
	predict x.mat
	predict --forest x
	predict --forest x --repeat 3 a.mat b.mat
	predict --forest x --timings t a.mat
	evaluate --labels x --dir y
	evaluate --forest f --labels x --dir y --split none
	synth
	synth --dir x --count 0
END
expect_match 'see ecg synth --help' "$work/err"

# Output that cannot be written is no success.
[ ! -w /dev/full ] || {
	status=0
	"$ecg" features "$data/good.mat" >/dev/full 2>"$work/err" || status=$?
	expect_equal 1 "$status"
	expect_match 'cannot write standard output' "$work/err"
}
