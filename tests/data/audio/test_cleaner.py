"""Recordings to clips: what is mended, what is refused, and that training and prediction read alike."""

from __future__ import annotations

import io
import struct
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from bessemer.data.audio import AUDIO
from bessemer.data.audio import cleaner as audio
from bessemer.data.audio.cleaner import AudioCleaner, fit_clips, read_audio, read_clips
from bessemer.data.audio.read import audio_reader
from bessemer.data.audio.survey import choose_seconds
from bessemer.data.config import DataConfig
from bessemer.data.record import BROKEN, FILTERED, Clean, Raw, Rejected

RATE = 8000


def tone(seconds: float = 1.0, rate: int = RATE, hertz: float = 440.0, level: float = 0.5) -> np.ndarray:
    return level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def encode(wave: np.ndarray, rate: int = RATE, kind: str = "WAV", subtype: str | None = None) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, wave, rate, format=kind, subtype=subtype)
    return file.getvalue()


def cleaner(**settings) -> AudioCleaner:
    return AudioCleaner(
        DataConfig(source="audio_folder", path=".", audio={"rate": RATE, "seconds": 1.0, **settings})
    )


def raw(value: bytes | Path | Rejected) -> Raw:
    return Raw("a/1.wav", "", "a", "", value)


def fate(value: bytes | Path, **settings) -> Rejected:
    with pytest.raises(Rejected) as caught:
        list(cleaner(**settings).clean(raw(value)))
    return caught.value


def only(value: bytes | Path, **settings) -> Clean:
    (one,) = cleaner(**settings).clean(raw(value))
    assert isinstance(one, Clean)
    return one


def test_16_bit_sound_passes_bit_by_bit():
    pcm = np.random.default_rng(0).integers(-20_000, 20_000, RATE).astype(np.int16)
    one = only(encode(pcm))
    assert np.array_equal(np.frombuffer(one.payload, "<i2"), pcm)
    assert (one.length, one.repairs, one.part, one.signature.size) == (1.0, (), "", 0)


@pytest.mark.parametrize("kind", ["FLAC", "AIFF", "OGG", "AU", "CAF", "W64", "MP3"])
def test_formats_of_libsndfile_are_read(kind):
    assert f".{kind.lower()}" in AUDIO.readable
    wave, repairs = read_audio(encode(tone(), kind=kind), RATE)
    middle = slice(1000, -1000)
    assert len(wave) == RATE
    assert repairs == ()
    assert np.sqrt(np.mean((wave[middle] - tone()[middle]) ** 2)) < 0.02


def test_resampling_keeps_a_tone_and_removes_what_the_new_rate_cannot_hold():
    both = tone(1, 44_100) + tone(1, 44_100, 6000.0, 0.3)
    wave, repairs = read_audio(encode(both, 44_100), RATE)
    assert repairs == ("resampled from 44100 Hz",)
    assert len(wave) == RATE
    assert np.abs(wave - tone())[200:-200].max() < 0.01


def test_channels_are_averaged():
    stereo = np.stack([tone(level=0.6), tone(level=0.2)], axis=1)
    wave, repairs = read_audio(encode(stereo), RATE)
    assert repairs == ("mixed down to mono",)
    assert np.abs(wave - tone(level=0.4)).max() < 1e-4


def test_a_constant_offset_is_removed_and_a_small_one_is_left():
    wave, repairs = read_audio(encode(tone() + 0.2), RATE)
    assert repairs == ("DC offset removed",)
    assert abs(wave.mean()) < 1e-6
    assert read_audio(encode(tone() + 0.005), RATE)[1] == ()


@pytest.mark.parametrize(
    ("value", "reason", "kind"),
    [
        (b"", "empty file", BROKEN),
        (b"RIFF", "not a sound file", BROKEN),
        (b"words, not sound" * 100, "not a sound file", BROKEN),
        (encode(tone())[:9000], "truncated or corrupt", BROKEN),
        (encode(tone(), kind="FLAC")[:4000], "truncated or corrupt", BROKEN),
        (encode(tone(), kind="AIFF")[:9000], "truncated or corrupt", BROKEN),
        (encode(np.where(np.arange(RATE) == 5, np.nan, tone()), subtype="FLOAT"), "non-finite samples", BROKEN),
        (encode(tone(), 500), "not a sound file", BROKEN),
        (encode(np.zeros(RATE)), "silent", FILTERED),
        (encode(np.full(RATE, 0.5)), "silent", FILTERED),
        (encode(tone(level=0.0005)), "silent", FILTERED),
        (encode(np.clip(tone(level=5.0), -1, 1)), "clipped", FILTERED),
        (encode(np.clip(tone(level=5.0), -1, 1), subtype="PCM_U8"), "clipped", FILTERED),
        (encode(tone(0.015)), "too short", FILTERED),
        (encode(np.zeros(0)), "too short", FILTERED),
    ],
)
def test_what_is_refused(value, reason, kind, tmp_path):
    assert (fate(value).reason, fate(value).kind) == (reason, kind)
    path = tmp_path / "1.wav"
    path.write_bytes(value)
    assert fate(path).reason == reason


def test_a_headerless_file_is_not_a_sound_file(tmp_path):
    path = tmp_path / "1.raw"
    path.write_bytes(bytes(16_000))
    assert fate(path).reason == "not a sound file"


def test_a_missing_file_is_unreadable(tmp_path):
    assert fate(tmp_path / "none.wav").reason == "unreadable"


def test_the_reason_of_a_row_without_a_file_is_passed_on():
    with pytest.raises(Rejected, match="missing file"):
        list(cleaner().clean(raw(Rejected("missing file"))))


def test_a_stream_that_does_not_know_its_length_is_read_to_its_end():
    known = encode(tone())
    streamed = known[:40] + struct.pack("<I", 0xFFFFFFFF) + known[44:]
    assert np.array_equal(read_audio(streamed, RATE)[0], read_audio(known, RATE)[0])


def test_hours_are_refused_by_the_header_before_they_are_decoded(monkeypatch):
    hours = encode(np.zeros(RATE * 601, np.int16), kind="FLAC")
    assert len(hours) < 200_000  # little to store, much to decode
    monkeypatch.setattr(audio, "_blocks", lambda *_: pytest.fail("decoded"))
    refused = fate(hours)
    assert (refused.reason, refused.kind) == ("longer than 10 minutes", FILTERED)
    with pytest.raises(Rejected, match="longer than 10 minutes"):
        cleaner().survey(raw(hours))


def test_hours_that_the_header_hides_are_decoded_no_further_than_the_limit(monkeypatch):
    monkeypatch.setattr(audio, "LONGEST", 2.0)
    monkeypatch.setattr(audio, "_known", lambda sound: False)
    with pytest.raises(Rejected, match="longer than"):
        read_audio(encode(tone(3)), RATE)
    assert len(read_audio(encode(tone(2)), RATE)[0]) == 2 * RATE


def test_every_prefix_of_a_file_is_refused_for_a_reason():
    whole = encode(tone(0.2))
    for size in range(0, len(whole), 97):
        assert fate(whole[:size]).kind in (BROKEN, FILTERED)


def test_a_damaged_byte_never_raises_anything_else():
    whole = encode(tone(0.2), kind="FLAC")
    for place in range(0, len(whole), 41):
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        try:
            clips = read_clips(bytes(damaged), RATE, RATE, windows=False)
        except Rejected:
            continue
        assert clips.shape == (1, RATE)


def test_a_long_recording_gives_its_middle_and_a_short_one_is_centered_in_silence():
    ramp = np.arange(1, 11) / 32768
    assert fit_clips(ramp, 4, False).tolist() == [[4, 5, 6, 7]]
    assert fit_clips(ramp[:3], 6, False).tolist() == [[0, 1, 2, 3, 0, 0]]
    assert fit_clips(ramp[:3], 6, True).tolist() == [[0, 1, 2, 3, 0, 0]]


def test_values_beyond_full_scale_are_cut_not_wrapped():
    assert fit_clips(np.array([1.5, -1.5, 1.0]), 3, False).tolist() == [[32767, -32768, 32767]]


@given(length=st.integers(1, 200), samples=st.integers(2, 60))
def test_windows_miss_nothing_overlap_by_half_and_are_half_full_at_least(length, samples):
    clips = fit_clips(np.arange(1, length + 1) / 32768, samples, True)
    assert set(clips.flatten()) - {0} == set(range(1, length + 1))
    if length > samples:
        full = clips if clips[-1].all() else clips[:-1]
        assert [clip[0] for clip in full] == [1 + (samples // 2) * i for i in range(len(full))]
        assert (clips[-1] > 0).sum() >= samples / 2
        assert clips[-1].max() == length > clips[:-1].max()  # the last one brings something new


def test_windows_become_parts_and_silent_ones_are_named():
    wave = np.concatenate([tone(2), np.zeros(2 * RATE)])
    found = list(cleaner(windows=True).clean(raw(encode(wave))))
    assert [one.part for one in found if isinstance(one, Clean)] == [f"clip {n}" for n in (1, 2, 3, 4)]
    assert [(one.reason, one.detail) for one in found if isinstance(one, Rejected)] == [
        ("silent", "clip 5"),
        ("silent", "clip 6"),
        ("silent", "clip 7"),
    ]


def test_prediction_reads_as_training_does(tmp_path):
    path = tmp_path / "1.flac"
    path.write_bytes(encode(np.stack([tone(1.7, 11_025), tone(1.7, 11_025, 700)], 1) + 0.1, 11_025, "FLAC"))
    for windows in (False, True):
        stored = [np.frombuffer(one.payload, "<i2") for one in cleaner(windows=windows).clean(raw(path))]
        assert np.array_equal(read_clips(path, RATE, RATE, windows), stored)


def test_the_length_is_chosen_from_the_recordings():
    one = cleaner(seconds=None)
    assert one.needs_survey
    one.settle(one.survey(raw(encode(tone(seconds)))) for seconds in [0.5] * 5 + [0.81] * 4 + [3.0])
    assert one.settled == {"rate": RATE, "samples": round(0.9 * RATE)}
    assert cleaner().settled == {"rate": RATE, "samples": RATE}


@pytest.mark.parametrize(
    ("lengths", "windows", "seconds"),
    [
        ([100] * 10, False, 1.0),
        ([101] * 9 + [5000], False, 1.1),
        ([3], False, 0.1),
        ([6000], False, 10.0),
        ([], False, 1.0),
        ([3000] * 9 + [459], True, 4.5),
        ([3000] * 8 + [40] * 2, True, 1.0),  # a few short ones do not rule
        ([40] * 10, True, 0.4),
        ([6000], True, 10.0),
    ],
)
def test_lengths_of_clips(lengths, windows, seconds):
    assert choose_seconds(Counter(lengths), windows) == seconds


def test_a_survey_costs_no_decoding(monkeypatch):
    value = encode(tone(1.5))
    monkeypatch.setattr(audio, "_blocks", lambda *_: pytest.fail("decoded"))
    look = cleaner().survey(raw(value))
    assert (look.seconds, look.rate) == (1.5, RATE)
    assert look.level == pytest.approx(-9, abs=0.1)


# --- headers that lie ------------------------------------------------------------------------------------


def wav(said: int, behind: bytes = b"", before: bytes = b"", riff: int | None = None) -> bytes:
    """A WAV file of a second whose header tells a length of its own; `before` and `behind` the sound."""
    sound = (tone() * 32767).astype("<i2").tobytes()
    head = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, RATE, 2 * RATE, 2, 16) + before
    whole = 12 + len(head) + said if riff is None else riff
    return b"RIFF" + struct.pack("<I", whole) + b"WAVE" + head + b"data" + struct.pack("<I", said) + sound + behind


NOTES = b"LIST" + struct.pack("<I", 4) + b"INFO"


@pytest.mark.parametrize(
    "value",
    [wav(0), wav(0, riff=0), wav(0, before=NOTES), wav(4000), wav(4000, riff=0)],
    ids=["none", "no length at all", "notes before", "as it once was", "old and none"],
)
def test_a_recording_that_was_cut_off_is_read_to_its_end(value, tmp_path):
    path = tmp_path / "1.wav"
    path.write_bytes(value)
    for source in (value, path):
        wave, repairs = read_audio(source, RATE)
        assert repairs == ("length in the header mended",)
        assert np.abs(wave - tone()).max() < 1e-4
        assert cleaner().survey(raw(source)).seconds == 1.0


@pytest.mark.parametrize("behind", [NOTES, b"ID3\x04" + bytes(50), b"TAG" + bytes(125), bytes(512)])
def test_what_stands_behind_the_sound_is_no_sound(behind):
    wave, repairs = read_audio(wav(2 * RATE, behind), RATE)
    assert len(wave) == RATE
    assert repairs == ()


def test_an_empty_recording_stays_empty():
    assert fate(wav(0)[:44]).reason == "too short"
    assert fate(wav(0)[:44] + NOTES).reason == "too short"


# --- channels, scales, rates -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("right", "level", "said"),
    [
        (-1.0, 0.5, "loudest channel used: channels cancel each other"),
        (-0.8, 0.5, "loudest channel used: channels cancel each other"),
        (1.0, 0.5, "mixed down to mono"),
        (0.0, 0.25, "mixed down to mono"),
        (0.5, 0.375, "mixed down to mono"),
    ],
)
def test_channels_in_opposite_phase_do_not_become_silence(right, level, said):
    wave, repairs = read_audio(encode(np.stack([tone(), right * tone()], 1)), RATE)
    assert repairs == (said,)
    assert np.abs(wave).max() == pytest.approx(level, abs=1e-3)


def test_one_microphone_of_many_is_heard():
    many = np.zeros((RATE, 16))
    many[:, 5] = tone()
    assert np.abs(read_audio(encode(many), RATE)[0]).max() == pytest.approx(0.5, abs=1e-3)


def looked(values: list[bytes], labels: str = "", **settings) -> AudioCleaner:
    one = cleaner(**settings)
    rows = [
        Raw("a", "", label, "", value) for value, label in zip(values, labels or "a" * len(values), strict=True)
    ]
    one.settle([one.survey(row) for row in rows])
    return one


@pytest.mark.parametrize(("full", "wanted"), [(0.5, 1.0), (1.4, 1.4), (20_000.0, 32768.0), (1e9, 2.0**31)])
def test_full_scale_of_floating_point_is_that_of_the_set(full, wanted):
    loud, soft = (encode(tone(level=level), subtype="FLOAT") for level in (full, full / 4))
    one = looked([loud, soft] * 3)
    assert one.settled.get("float_full_scale", 1.0) == pytest.approx(wanted, rel=1e-3)
    tops = [
        np.abs(np.frombuffer(next(one.clean(raw(value))).payload, "<i2")).max() / 32768 for value in (loud, soft)
    ]
    assert tops == pytest.approx([full / wanted, full / wanted / 4], rel=0.01)


def test_24_bits_and_8_are_read_as_16_are():
    for subtype, error in (("PCM_24", 1e-5), ("PCM_32", 1e-5), ("PCM_U8", 0.01), ("DOUBLE", 1e-6)):
        assert np.abs(read_audio(encode(tone(), subtype=subtype), RATE)[0] - tone()).max() < error


def test_a_quiet_set_is_made_louder_and_a_quiet_class_is_kept():
    quiet = encode(tone(level=0.0008), subtype="PCM_24")
    one = looked([quiet] * 5)
    assert one.settled["gain_db"] == pytest.approx(-26 + 64.9, abs=0.2)
    clean = next(one.clean(raw(quiet)))
    assert clean.repairs == ("made louder, as all are",)
    mixed = looked([quiet] * 5 + [encode(tone())] * 5, "bbbbbaaaaa")
    assert "gain_db" not in mixed.settled
    assert next(mixed.clean(raw(quiet))).repairs == ()
    with pytest.raises(Rejected, match="silent"):
        next(mixed.clean(raw(encode(np.zeros(RATE)))))


@pytest.mark.parametrize(
    ("rates", "wanted"),
    [([8000] * 3 + [44_100], 8000), ([44_100] * 3, 44_100), ([96_000], 48_000), ([8000, 22_050], 22_050)],
)
def test_the_rate_is_that_of_most_recordings(rates, wanted):
    one = looked([encode(tone(0.1, rate), rate) for rate in rates], rate=None)
    assert one.settled["rate"] == wanted
    assert one.settled["samples"] == wanted
    assert bool(AUDIO.notes(one.settled)) == (len(set(rates)) > 1)


def test_what_was_settled_is_read_alike_by_predict(tmp_path):
    path = tmp_path / "1.wav"
    path.write_bytes(encode(tone(level=30_000.0), subtype="FLOAT"))
    one = looked([path.read_bytes()] * 3)
    about = {**one.settled, "windows": False, "silence_db": -60.0}
    assert audio_reader(about)(path)[0].tobytes() == next(one.clean(raw(path))).payload
