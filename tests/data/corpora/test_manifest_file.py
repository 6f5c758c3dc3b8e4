import csv
import json
from pathlib import Path

import pytest

from speechft_cli.data.utterance import Utterance
from speechft_cli.errors import RequestError
from tests.data.corpora.reading import read


def write_list(folder: Path, *lines: object) -> Path:
    path = folder / "manifest.jsonl"
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path


def test_every_field_finds_its_place(tmp_path: Path) -> None:
    write_list(
        tmp_path,
        {
            "id": "u1",
            "audio": "wavs/a b.ogg",
            "start": 0.25,
            "duration": 1.5,
            "text": "HELLO",
            "phones": "HH AH",
            "speaker": 118,
            "split": "valid",
            "split_sid": "test",
            "split_ks": None,
            "emotion": "sad",
            "digit": 7,
            "gender": None,
            "phones_guessed": [],
            "snr": 20.5,
        },
    )
    assert read("manifest", tmp_path) == [
        (
            "dev",
            Utterance(
                id="u1",
                audio=tmp_path / "wavs/a b.ogg",
                start=0.25,
                duration=1.5,
                text="HELLO",
                phones="HH AH",
                speaker="118",
                labels={"emotion": "sad", "digit": "7"},
                task_splits={"sid": "test", "ks": ""},
            ),
        )
    ]


@pytest.mark.parametrize("name", ["audio", "audio_path", "audio_filepath", "path", "file", "file_name", "wav"])
def test_the_id_comes_from_the_path_and_the_split_is_train(tmp_path: Path, name: str) -> None:
    path = write_list(tmp_path, {name: "x/a.wav"}, {name: "x/a.wav", "start": 1.5})
    assert [(split, each.id) for split, each in read("manifest", path)] == [("train", "x/a"), ("train", "x/a@1.5")]


def test_a_stretch_may_have_its_end_in_place_of_its_duration(tmp_path: Path) -> None:
    write_list(
        tmp_path,
        {"audio": "talk.wav", "start": 0, "end": 0.5},
        {"audio": "talk.wav", "start": "10.1", "end": "12.5"},
        {"audio": "talk.wav", "start": 20, "end": 21.24, "duration": 1.235},
    )
    assert [(each.start, each.duration) for _, each in read("manifest", tmp_path)] == [
        (0, 0.5),
        (10.1, 2.4),
        (20, 1.235),
    ]
    assert all(not each.labels for _, each in read("manifest", tmp_path))


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"start": 3, "end": 3}, "end: must be after the start, 3 s, got 3"),
        ({"start": 3, "end": "2.5"}, "end: must be after the start, 3 s, got '2.5'"),
        ({"start": 3, "duration": 2, "end": 6}, "end: must be start + duration, 5 s, got 6"),
        ({"end": "late"}, "end: must be a number of seconds above 0, got 'late'"),
        ({"start": True}, "start: must be a number of seconds, got True"),
        ({"duration": [2]}, "duration: must be a number of seconds above 0, got [2]"),
    ],
)
def test_a_time_that_can_be_none_is_told(tmp_path: Path, fields: dict[str, object], problem: str) -> None:
    path = write_list(tmp_path, {"audio": "talk.wav"} | fields)
    with pytest.raises(RequestError) as caught:
        read("manifest", tmp_path)
    assert caught.value.message == f"{path}:1: {problem}"


def test_null_is_as_good_as_no_field(tmp_path: Path) -> None:
    nothing = dict.fromkeys(("id", "start", "duration", "end", "text", "phones", "speaker", "language", "split"))
    write_list(tmp_path, {"audio": "a.wav"}, {"audio": "a.wav"} | nothing)
    first, second = read("manifest", tmp_path)
    assert first == second == ("train", Utterance("a", tmp_path / "a.wav"))


@pytest.mark.parametrize(
    ("audio", "name"),
    [
        ("a.b.wav", "a.b"),
        ("v1.0/a", "v1.0/a"),
        ("./a.wav", "a"),
        ("x//a.wav", "x/a"),
        ("x/./a.wav", "x/a"),
        ("x/.a.wav", "x/.a"),
        ("../x/a.wav", "../x/a"),
        ("/x/../a.wav", "/a"),
    ],
)
def test_an_id_is_the_shortest_path_without_the_suffix(tmp_path: Path, audio: str, name: str) -> None:
    write_list(tmp_path, {"audio": audio})
    assert [each.id for _, each in read("manifest", tmp_path)] == [name]


def test_other_names_of_a_field_are_labels_once_it_is_there(tmp_path: Path) -> None:
    write_list(tmp_path, {"audio": "a.wav", "text": "Der Lappen", "sentence": "a01"})
    ((_, utterance),) = read("manifest", tmp_path)
    assert (utterance.text, utterance.labels) == ("Der Lappen", {"sentence": "a01"})


def test_a_csv_says_the_same_as_a_jsonl(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(
        'path,transcript,speaker_id,duration,split,keyword\na.wav,"ONE, TWO",s1,0.5,val,\nb.wav,,,,,yes\n'
    )
    assert read("manifest", tmp_path / "list.csv") == [
        ("dev", Utterance("a", tmp_path / "a.wav", duration=0.5, text="ONE, TWO", speaker="s1")),
        ("train", Utterance("b", tmp_path / "b.wav", labels={"keyword": "yes"})),
    ]


@pytest.mark.parametrize(("name", "separator"), [("list.csv", ";"), ("list.csv", "\t"), ("list.TSV", "\t")])
def test_a_table_may_have_semicolons_or_tabs_and_the_byte_order_mark_of_a_spreadsheet(
    tmp_path: Path, name: str, separator: str
) -> None:
    rows = [
        ("File", "transcription", " client_id", "Split", "Note"),
        ("ä b.wav", '"EINS, ""ZWEI"""', "s1", "Validation", "gut"),
    ]
    text = "".join(separator.join(row) + "\r\n" for row in rows)
    (tmp_path / name).write_text(text, encoding="utf-8-sig", newline="")
    assert read("manifest", tmp_path / name) == [
        ("dev", Utterance("ä b", tmp_path / "ä b.wav", text='EINS, "ZWEI"', speaker="s1", labels={"Note": "gut"})),
    ]


def test_row_numbers_of_pandas_and_separators_at_the_ends_of_lines_are_no_labels(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(",path,emotion,,\n0,a.wav,sad,,\n")
    assert [each.labels for _, each in read("manifest", tmp_path / "list.csv")] == [{"emotion": "sad"}]


def test_whole_numbers_that_pandas_wrote_as_fractions_are_whole(tmp_path: Path) -> None:
    write_list(tmp_path, {"audio": "a.wav", "speaker": 3.0, "digit": 7.0, "snr": 20.5})
    ((_, only),) = read("manifest", tmp_path)
    assert (only.speaker, only.labels) == ("3", {"digit": "7"})


def test_what_pandas_writes_by_default_says_how_it_is_to_be_written(tmp_path: Path) -> None:
    path = write_list(tmp_path, '[{"audio": "a.wav"}, {"audio": "b.wav"}]')
    with pytest.raises(RequestError) as caught:
        read("manifest", path)
    assert caught.value.message == f"{path}: must have a JSON object a line, is one array of them"
    assert "lines=True" in caught.value.hint
    path = write_list(tmp_path, '{"audio": {"0": "a.wav", "1": "b.wav", "2": "c.wav", "3": "d.wav"}}')
    with pytest.raises(RequestError) as caught:
        read("manifest", path)
    assert caught.value.message.endswith("must be text, got {'0': 'a.wav', '1': 'b.wav', '2': 'c.wav")


def test_nan_and_a_cut_within_a_letter_are_told_as_what_they_are(tmp_path: Path) -> None:
    path = write_list(tmp_path, {"audio": "a.wav"}, '{"audio": "a.wav", "text": NaN}', '"' + "ä" * 30 + '"')
    with pytest.raises(RequestError) as caught:
        read("manifest", path)
    first, second = caught.value.message.splitlines()
    assert first == f"{path}:2: must be JSON, which has null for NaN"
    assert second.startswith(f'{path}:3: must be a JSON object, got "äää')


def test_a_table_whose_header_names_no_recording_is_told_once(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("Datei;Text\n" + "a.wav;HALLO\n" * 20)
    with pytest.raises(RequestError) as caught:
        read("manifest", path)
    assert caught.value.message == (
        f"{path}:1: must have one of the columns audio, audio_path, audio_filepath, path, file, file_name, wav, "
        "has Datei, Text"
    )


def test_a_list_of_another_kind_is_not_read_as_json(tmp_path: Path) -> None:
    (tmp_path / "wav.scp").write_text("u1 a.wav\n")
    with pytest.raises(RequestError, match=r"must be a \.jsonl, \.json, \.csv or \.tsv file"):
        read("manifest", tmp_path / "wav.scp")


def test_splits_choose_values_of_the_split_field(tmp_path: Path) -> None:
    write_list(tmp_path, *({"audio": f"{name}.wav", "split": name} for name in ("s1", "s2", "s3")))
    assert [(split, each.id) for split, each in read("manifest", tmp_path, train=["s1", "s3"])] == [
        ("train", "s1"),
        ("train", "s3"),
    ]
    with pytest.raises(RequestError, match="must have the splits s4, has s1, s2, s3"):
        read("manifest", tmp_path, train=["s4"])


def test_all_bad_lines_are_listed_with_file_and_line(tmp_path: Path) -> None:
    path = write_list(
        tmp_path,
        {"audio": "good.wav"},
        '{"audio": ',
        [1],
        {"text": "HELLO"},
        {"audio": "a.wav", "duration": -1, "start": "soon"},
        {"audio": "a.wav", "split": "tset"},
        {"audio": "a.wav", "split_sid": "tset"},
        {"audio": ["a.wav"], "text": True},
        {"audio": "a.wav", "duration": float("nan")},
    )
    with pytest.raises(RequestError) as caught:
        read("manifest", tmp_path)
    problems = caught.value.message.splitlines()
    assert [problem.split(": ")[0] for problem in problems] == [f"{path}:{number}" for number in range(2, 10)]
    assert problems[1].endswith("must be a JSON object, got [1]")
    assert "must have one of the fields audio, audio_path, audio_filepath, path, file, file_name, wav" in problems[2]
    assert problems[3].endswith(
        "start: must be a number of seconds, got 'soon'; duration: must be a number of seconds above 0, got -1"
    )
    assert problems[4].endswith(
        "split: must be one of train, dev, valid, validation, val, test, or be named by --splits, got 'tset'"
    )
    assert "split_sid: must be one of" in problems[5]
    assert problems[6].endswith("audio: must be text, got ['a.wav']; text: must be text, got True")
    assert caught.value.exit_code == 2


def test_after_ten_bad_lines_the_rest_is_counted(tmp_path: Path) -> None:
    write_list(tmp_path, *["nonsense"] * 25)
    with pytest.raises(RequestError) as caught:
        read("manifest", tmp_path)
    assert len(caught.value.message.splitlines()) == 11
    assert caught.value.message.endswith("… and 15 more lines")


def test_a_csv_row_of_another_width_is_a_bad_line(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text("path,text\na.wav,HELLO, WORLD\n")
    with pytest.raises(RequestError, match=r"manifest\.csv:2: must have 2 cells like the header, has 3"):
        read("manifest", tmp_path)


def test_a_quote_that_is_never_closed_swallows_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text('path,text\na.wav,ONE\nb.wav,"TWO\nc.wav,THREE\n')
    with pytest.raises(RequestError, match=r'list\.csv:3: must have a " at both ends of a cell or at none'):
        read("manifest", path)
    path.write_text('path,text\na.wav,"ONE\nb.wav,TWO"\n"c.wav"x,THREE\n')
    with pytest.raises(RequestError, match=r"list\.csv:4: must have"):
        read("manifest", path)
    path.write_text('path,"text\na.wav,ONE\n')
    with pytest.raises(RequestError, match=r"list\.csv:1: must have a"):
        read("manifest", path)


def test_between_tabs_a_quote_may_be_a_letter_of_the_text(tmp_path: Path) -> None:
    path = tmp_path / "list.tsv"
    lines = ('"HELLO', 'FOO" BAR', '"HI" SAID "HE"', '"ONE, ""TWO"""', '""', '"')
    path.write_text("path\ttext\n" + "".join(f"{number}.wav\t{line}\n" for number, line in enumerate(lines)))
    expected = ['"HELLO', 'FOO" BAR', '"HI" SAID "HE"', 'ONE, "TWO"', None, '"']
    assert [each.text for _, each in read("manifest", path)] == expected


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_rows_without_content_at_the_end_of_a_spreadsheet_are_left_out(tmp_path: Path, separator: str) -> None:
    path = tmp_path / "list.csv"
    rows = (("path", "text"), ("a.wav", "ONE\nTWO" if separator != "\t" else "ONE TWO"), ("", ""), ("", ""))
    with path.open("w", newline="") as file:
        csv.writer(file, delimiter=separator).writerows(rows)
    assert [(" ".join((each.text or "").split())) for _, each in read("manifest", path)] == ["ONE TWO"]


def test_a_folder_without_list_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"hold manifest\.jsonl or manifest\.csv, holds no list"):
        read("manifest", tmp_path)
    (tmp_path / "metadata.csv").touch()
    with pytest.raises(RequestError, match=r"holds metadata\.csv") as caught:
        read("manifest", tmp_path)
    assert caught.value.hint == f"--root {tmp_path / 'metadata.csv'}"


@pytest.mark.parametrize(("content", "problem"), [(b"", "is empty"), (b"\xff\xfe\x00", "must be a UTF-8 text file")])
def test_an_unreadable_list_is_a_wrong_request(tmp_path: Path, content: bytes, problem: str) -> None:
    (tmp_path / "manifest.jsonl").write_bytes(content)
    with pytest.raises(RequestError, match=problem):
        read("manifest", tmp_path)
