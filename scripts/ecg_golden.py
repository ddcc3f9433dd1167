#!/usr/bin/python3
"""Golden values for the ECG example, computed apart from its C code.

Makes the synthetic recordings S00001 to S00020 of seed 1 by the rules of examples/ecg/synth.h, and both feature sets
with numpy, straight from their definitions. Writes into tests/data:

    ecg_golden_recordings.csv    record,label,split,samples,sum,weighted: sums of x[n] and of x[n] * (n % 251)
    ecg_golden_compact.csv       record, then the 111 features
    ecg_golden_spectrogram.csv   record, then every 97th of the 18810 features

usage: scripts/ecg_golden.py [DIR]
"""
import sys
from pathlib import Path

import numpy as np

SEED = 1
RECORDINGS = 20
SPECTROGRAM_STEP = 97
MASK = 2**64 - 1

# Synthetic recordings


class Random:
    """splitmix64, and the stream number `stream` of a seed."""

    def __init__(self, seed, stream):
        self.state = seed
        self.state = (self.next() + stream * 0xD1342543DE82EF95) & MASK

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ z >> 27) * 0x94D049BB133111EB) & MASK
        return z ^ z >> 31

    def between(self, low, high):
        return low + ((self.next() >> 32) * (high - low + 1) >> 32)


NORMAL_BEAT = ((-48, 15, 130), (-9, 6, -120), (0, 10, 1000), (10, 8, -260), (78, 34, 260))
ECTOPIC_BEAT = ((-48, 15, 0), (-26, 12, -150), (0, 27, 1300), (30, 20, -520), (90, 40, -380))


def quotient(value, of):
    """Integer division towards zero."""
    return -(-value // of) if value < 0 else value // of


class Maker:
    def __init__(self, seed, number):
        self.random = Random(seed, number)
        between = self.random.between
        draw = between(0, 99)
        self.label = "N" if draw < 50 else "A" if draw < 68 else "O" if draw < 90 else "~"
        self.split = "test" if between(0, 3) == 0 else "train"
        rhythms = {"N": "regular", "A": "fibrillation", "~": "weak"}
        self.rhythm = rhythms.get(self.label) or ("ectopic", "ectopic", "slow", "fast")[between(0, 3)]
        draw = between(0, 7)
        self.count = between(2714, 8999) if draw == 0 else between(9001, 18286) if draw == 1 else 9000
        self.height = between(350, 1500)
        if between(0, 7) == 0:
            self.height = -self.height
        self.signal = [0] * self.count
        self.beats()
        self.wave(30, 90, 30, 250)
        noise = between(2, 10)
        for n in range(self.count):
            value = self.signal[n] + between(-noise, noise) + between(-noise, noise)
            self.signal[n] = max(-8192, min(8191, value))

    def bump(self, centre, width, height):
        square = width * width
        for t in range(1 - width, width):
            if 0 <= centre + t < self.count:
                self.signal[centre + t] += quotient(height * (square - t * t) ** 2, square * square)

    def beat(self, shape, at):
        for i, (offset, width, height) in enumerate(shape):
            without = i == 0 and self.rhythm == "fibrillation"
            self.bump(at + offset, width, 0 if without else quotient(self.height * height, 1000))

    def wave(self, step_least, step_most, least, most):
        step = self.random.between(step_least, step_most)
        height = self.random.between(least, most)
        phase = self.random.between(0, 65535)
        for n in range(self.count):
            half = phase % 32768
            value = 4 * half * (32768 - half) // 32768
            self.signal[n] += quotient((-height if phase >= 32768 else height) * value, 32768)
            phase = (phase + step) % 65536

    def regular(self, shortest, longest, chance):
        between = self.random.between
        interval = between(shortest, longest)
        depth = between(0, 25)
        rarity = between(4, 24)
        early = False
        at = between(20, interval)
        while at < self.count:
            self.beat(ECTOPIC_BEAT if early else NORMAL_BEAT, at)
            following = interval + abs(at % 1200 - 600) * depth // 600 + between(-chance, chance)
            after_early = early
            early = self.rhythm == "ectopic" and between(1, rarity) == 1
            if early:
                following = following * 7 // 10
            if after_early:
                following = following * 13 // 10
            at += following

    def fibrillation(self):
        between = self.random.between
        shortest = between(110, 190)
        spread = between(20, 180)
        at = between(20, 200)
        while at < self.count:
            self.beat(NORMAL_BEAT, at)
            more = between(0, spread)
            more = more * between(0, 100) // 100
            at += shortest + more + between(0, 15)
        self.wave(1100, 1640, 5, 60)

    def disturbance(self, step_least, step_most, least, most):
        between = self.random.between
        step = between(step_least, step_most)
        strength = between(least, most)
        walk = 0
        for n in range(self.count):
            if n % 300 == 0:
                burst = between(strength // 9, strength) if between(0, 2) == 0 else step // 4
            walk += between(-step, step) - quotient(walk, 64)
            self.signal[n] += walk + between(-burst, burst)

    def beats(self):
        between = self.random.between
        if self.rhythm in ("regular", "ectopic"):
            self.regular(190, 330, between(2, 20))
        elif self.rhythm == "slow":
            self.regular(300, 420, between(2, 20))
        elif self.rhythm == "fast":
            self.regular(130, 210, between(1, 8))
        elif self.rhythm == "fibrillation":
            self.fibrillation()
        else:
            self.height = quotient(self.height, between(1, 6))
            self.regular(190, 330, 30)
            self.disturbance(15, 70, 200, 900)
            return
        if between(0, 5) == 0:
            self.disturbance(5, 25, 50, 300)


# Compact features

BAND_EDGES = (0.5, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 18, 20, 25, 30, 35, 40, 50, 60, 80, 100, 150)

COMPACT_NAMES = (
    "dur_s n_beats beats_per_s polarity rr_mean rr_sd rr_cv rr_min rr_max rr_p10 rr_p25 rr_med rr_p75 rr_p90 "
    "rr_iqr_rel d_rmssd d_rmssd_rel d_mad_rel d_pnn50 d_pnn10pct d_pnn20pct rr_ac1 d_ac1 rr_ent d_ent turn sd1 sd2 "
    "sd1_sd2 rr_irr tc_mean tc_sd tc_min tc_gt90 pc_mean pc_sd ramp_mean ramp_cv "
    + " ".join(f"t{i:02}" for i in range(30))
    + " lg_tot "
    + " ".join(f"sp_{edge:g}" for edge in BAND_EDGES[:-1])
    + " sp_entropy sp_centroid fr_lg_sd fr_cent_sd fr_cent_max res_rel res_3_5 res_5_7 res_7_9 res_9_12 "
    "sd skew kurt max min mad_dx flat zcr"
).split()


def window_sums(values, reach, mode):
    total = np.concatenate([[0], np.cumsum(np.pad(values, reach, mode=mode))])
    return total[2 * reach + 1 :] - total[: -2 * reach - 1]


def energy_of(x):
    count = len(x)
    total = np.concatenate([[0], np.cumsum(x)])
    slope = np.zeros(count, np.int64)
    n = np.arange(6, count - 5)
    slope[n] = total[n + 6] - 2 * total[n] + total[n - 6]
    return window_sums(slope * slope, 18, "constant")


def peaks_of(energy):
    blocks = len(energy) // 450
    typical = np.sort(energy[: blocks * 450].reshape(blocks, 450).max(axis=1))[(blocks - 1) // 2]
    edges = np.diff(np.concatenate([[0], (4 * energy > typical).astype(int), [0]]))
    peaks = []
    for start, end in zip(np.where(edges == 1)[0], np.where(edges == -1)[0]):
        peak = start + int(np.argmax(energy[start:end]))
        if not peaks or peak - peaks[-1] >= 75:
            peaks.append(peak)
        elif energy[peak] > energy[peaks[-1]]:
            peaks[-1] = peak
    return peaks


def beats_of(h, peaks):
    windows = [(max(0, p - 18), min(len(h), p + 19)) for p in peaks]
    above = sum(int(h[a:b].max()) for a, b in windows)
    below = sum(int(-h[a:b].min()) for a, b in windows)
    polarity = 1 if above >= below else -1
    beats = []
    for a, b in windows:
        beat = a + int(np.argmax(polarity * h[a:b]))
        if not beats or beat > beats[-1]:
            beats.append(beat)
    return polarity, beats


def autocorrelation(values):
    values = values - values.mean()
    return (values[:-1] * values[1:]).sum() / ((values * values).sum() + 1e-12)


def histogram_entropy(bins):
    parts = np.bincount(np.clip(bins, 0, 19).astype(int), minlength=20) / len(bins)
    parts = parts[parts > 0]
    return -(parts * np.log(parts)).sum()


def rhythm_features(beats):
    if len(beats) < 5:
        return [0] * 26
    rr = np.diff(beats) / 300
    step = np.diff(rr)
    size = np.abs(step)
    p10, p25, median, p75, p90 = np.percentile(rr, [10, 25, 50, 75, 90])
    mean, sd, rmssd = rr.mean(), rr.std(), np.sqrt((step * step).mean())
    inner, before, after = rr[1:-1], rr[:-2], rr[2:]
    turning = ((inner > before) & (inner > after)) | ((inner < before) & (inner < after))
    sd1, sd2 = rmssd / np.sqrt(2), np.sqrt(max(0, 2 * sd * sd - rmssd * rmssd / 2))
    return [
        mean, sd, sd / mean, rr.min(), rr.max(), p10, p25, median, p75, p90, (p75 - p25) / median,
        rmssd, rmssd / mean, np.median(size) / median,
        (size > 0.05).mean(), (size > 0.1 * median).mean(), (size > 0.2 * median).mean(),
        autocorrelation(rr), autocorrelation(step),
        histogram_entropy(np.floor((rr / median - 0.5) * 20)),
        histogram_entropy(np.floor((step / median + 0.5) * 20)),
        turning.mean(), sd1, sd2, sd1 / (sd2 + 1e-9), (size > 0.1 * rr[:-1]).mean(),
    ]  # fmt: skip


def pearson(a, b):
    a, b = a - a.mean(), b - b.mean()
    return (a * b).sum() / (np.sqrt((a * a).sum() * (b * b).sum()) + 1e-12)


def shape_features(beats, template):
    if len(beats) < 2:
        return [0] * 38
    whole = np.array([pearson(beat, template) for beat in beats])
    onset = np.array([pearson(beat[:57], template[:57]) for beat in beats])
    height = beats[:, 75]
    return [
        whole.mean(), whole.std(), whole.min(), (whole > 0.9).mean(), onset.mean(), onset.std(),
        height.mean(), height.std() / (abs(height.mean()) + 1e-6),
        *(template.reshape(30, 7).mean(axis=1) / (abs(template[75]) + 1e-6)),
    ]  # fmt: skip


def power_frames(signal):
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(512) / 512)
    starts = range(0, len(signal) - 511, 256)
    return np.abs(np.fft.rfft([signal[s : s + 512] * window for s in starts], axis=1)) ** 2


FREQUENCY = np.arange(257) * 300 / 512


def band(power, low, high):
    return power[(FREQUENCY >= low) & (FREQUENCY < high)].sum() + 1e-12


def spectrum_features(frames):
    mean = frames.mean(axis=0)
    used = (FREQUENCY >= 0.5) & (FREQUENCY < 150)
    total = band(mean, 0.5, 150)
    part = mean[used] / total
    frame_total = frames[:, used].sum(axis=1) + 1e-12
    centroid = (frames[:, used] * FREQUENCY[used]).sum(axis=1) / frame_total
    return [
        np.log(total), *(np.log(band(mean, a, b) / total) for a, b in zip(BAND_EDGES, BAND_EDGES[1:])),
        -(part * np.log(part + 1e-15)).sum(), (part * FREQUENCY[used]).sum(),
        np.log(frame_total).std(), centroid.std(), centroid.max(),
    ]  # fmt: skip


def remainder_features(mean, rest):
    total = band(rest, 1, 30)
    return [np.log(total / band(mean, 1, 30))] + [
        np.log(band(rest, a, b) / total) for a, b in ((3, 5), (5, 7), (7, 9), (9, 12))
    ]


def distribution_features(x, y, h, polarity):
    sd = y.std() + 1e-9
    z = (y - y.mean()) / sd
    step = np.abs(np.diff(x))
    sign = h >= 0
    return [
        sd, polarity * (z**3).mean(), (z**4).mean(), (polarity * y).max(), (polarity * y).min(),
        step.mean() / 1000, (step <= 1).mean(), (sign[1:] != sign[:-1]).mean(),
    ]  # fmt: skip


def compact(samples):
    x = np.asarray(samples[:9000], np.int64)
    h = 181 * x - window_sums(x, 90, "edge")
    y = h / 181000
    polarity, beats = beats_of(h, peaks_of(energy_of(x)))
    starts = [beat - 75 for beat in beats if beat >= 75 and beat + 134 < len(x)]
    shapes = np.array([polarity * y[s : s + 210] for s in starts])
    template = shapes.mean(axis=0) if len(starts) >= 2 else np.zeros(210)
    rest = polarity * y
    for s in starts:
        rest[s : s + 210] -= template
    frames = power_frames(y)
    duration = len(x) / 300
    features = [duration, len(beats), len(beats) / duration, polarity]
    features += rhythm_features(beats)
    features += shape_features(shapes, template)
    features += spectrum_features(frames)
    features += remainder_features(frames.mean(axis=0), power_frames(rest).mean(axis=0))
    features += distribution_features(x, y, h, polarity)
    return np.array(features, np.float64).astype(np.float32)


# Spectrogram features


def tukey():
    n = np.arange(65)
    window = np.ones(65)
    window[:9] = 0.5 * (1 + np.cos(np.pi * (-1 + 2 * n[:9] / 0.25 / 64)))
    window[56:] = 0.5 * (1 + np.cos(np.pi * (-2 / 0.25 + 1 + 2 * n[56:] / 0.25 / 64)))
    return window[:64]


def spectrogram(samples):
    x = np.zeros(18300)
    used = min(len(samples), 18300)
    x[:used] = samples[:used]
    frames = np.array([x[i * 32 : i * 32 + 64] for i in range(570)])
    window = tukey()
    frames = (frames - frames.mean(axis=1, keepdims=True)) * window
    density = np.abs(np.fft.rfft(frames, axis=1)) ** 2 / (300 * (window * window).sum())
    density[:, 1:32] *= 2
    loud = density > 1e-20
    logs = np.where(loud, np.log(np.where(loud, density, 1)), 0).ravel()
    return ((logs - logs.mean()) / logs.std()).astype(np.float32)


def write_rows(path, header, rows):
    lines = [",".join(header)]
    lines += [",".join(v if isinstance(v, str) else f"{v:.9g}" for v in row) for row in rows]
    path.write_text("\n".join(lines) + "\n")


def main():
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent / "tests/data")
    recordings, compacts, spectrograms = [], [], []
    for number in range(1, RECORDINGS + 1):
        made = Maker(SEED, number)
        x = made.signal
        record = f"S{number:05}"
        weighted = sum(value * (n % 251) for n, value in enumerate(x))
        recordings.append((record, made.label, made.split, str(len(x)), str(sum(x)), str(weighted)))
        compacts.append((record, *compact(x)))
        spectrograms.append((record, *spectrogram(x)[::SPECTROGRAM_STEP]))
    indices = range(0, 18810, SPECTROGRAM_STEP)
    write_rows(folder / "ecg_golden_recordings.csv", "record label split samples sum weighted".split(), recordings)
    write_rows(folder / "ecg_golden_compact.csv", ["record", *COMPACT_NAMES], compacts)
    write_rows(folder / "ecg_golden_spectrogram.csv", ["record", *(f"s{i}" for i in indices)], spectrograms)


if __name__ == "__main__":
    main()
