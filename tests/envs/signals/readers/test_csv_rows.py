import gzip

import pytest

from vpp_envs.errors import InputError
from vpp_envs.signals.readers.csv_rows import csv_rows, file_bytes


def test_rows_are_numbered_as_an_editor_counts_them():
    rows = csv_rows("f.csv", b"a,b\n\n1, 2\r\n\n3,4\n\n")
    assert rows.number == [3, 5]
    assert rows.cells == {"a": ["1", "3"], "b": ["2", "4"]}


def test_byte_order_mark_and_gzip_change_nothing():
    text = b"a,b\n1,2\n"
    plain = csv_rows("f.csv", text)
    assert csv_rows("f.csv", b"\xef\xbb\xbf" + text) == plain
    assert csv_rows("f.csv", gzip.compress(text)) == plain


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"", "f.csv is empty"),
        (b"\n\n", "f.csv is empty"),
        (b"a,b\n", "f.csv has fewer rows below its header than 1"),
        (b"a,b\n1,2\n3\n", "f.csv, row 3: 1 cells where the header has 2"),
        (b"a,b\n1,2,3\n", "f.csv, row 2: 3 cells where the header has 2"),
        (b"a,a\n1,2\n", "f.csv, row 1: column 'a' occurs twice"),
        (b'a,b\n1,"2\n', "f.csv, row 2 is not CSV"),
        (b"PK\x03\x04\xff\xfe", "f.csv is not text in UTF-8"),
        (gzip.compress(b"a,b\n1,2\n" * 99, mtime=0)[:-9], "f.csv is a damaged gzip file"),
        (b"\x1f\x8b\x08garbage", "f.csv is a damaged gzip file"),
    ],
)
def test_damaged_file_is_one_sentence(raw, sentence):
    with pytest.raises(InputError, match=sentence):
        csv_rows("f.csv", raw)


def test_missing_file_names_its_nearest_neighbour(tmp_path):
    (tmp_path / "PRICE_AND_DEMAND_202207_SA1.csv").write_text("a\n1\n")
    with pytest.raises(InputError, match=r"did you mean PRICE_AND_DEMAND_202207_SA1\.csv\?"):
        file_bytes(tmp_path / "PRICE_AND_DEMAND_202207_SA.csv")


def test_missing_folder_and_folder_for_a_file_are_named(tmp_path):
    with pytest.raises(InputError, match="nor does its folder"):
        file_bytes(tmp_path / "no" / "prices.csv")
    with pytest.raises(InputError, match="is a folder; expected one CSV file"):
        file_bytes(tmp_path)
