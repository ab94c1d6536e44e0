import pytest

from vpp_rl.cli.main import main


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")


def readings(path, rows=4, header="time,import_kwh,export_kwh", cells="1.5,0.5", offset="+09:30"):
    lines = [f"2026-06-30T{22 + i // 2}:{i % 2 * 30:02d}{offset},{cells}" for i in range(rows)]
    path.write_text("\n".join([header, *lines]) + "\n")
    return str(path)


def words(capsys):
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_list_names_every_example(capsys):
    assert main(["tariff", "list"]) == 0
    names = [line.split()[0] for line in words(capsys)]
    assert {"flat_au", "tou_feed_in_au", "net_billing_us_ca", "dynamic_de"} <= set(names)


def test_the_template_is_a_valid_tariff_that_names_its_own_file(tmp_path, capsys):
    assert main(["tariff", "template", "mine.yaml"]) == 0
    assert "next: edit it, then vpp tariff validate mine.yaml" in words(capsys)
    text = (tmp_path / "mine.yaml").read_text()
    assert text.startswith("# vpp tariff validate mine.yaml\n")
    for key in ("table:", "wholesale_factor:", "holidays:", "demand:", "interval_min:"):
        assert key in text
    assert main(["tariff", "validate", "mine.yaml"]) == 0


def test_what_the_template_says_in_comments_is_valid_too(tmp_path):
    main(["tariff", "template", "mine.yaml"])
    path = tmp_path / "mine.yaml"
    text = path.read_text()
    for old in ("# holidays: [", "# demand:", "#   - { name: summer evening"):
        assert old in text
        text = text.replace(old, old[2:])
    path.write_text(text)
    assert main(["tariff", "validate", "mine.yaml"]) == 0


def test_a_template_may_be_another_example_and_leaves_a_file_that_exists_alone(tmp_path, capsys):
    assert main(["tariff", "template", "mine.yaml", "like=flat_au"]) == 0
    before = (tmp_path / "mine.yaml").read_text()
    assert "per_kwh: 0.33" in before
    assert main(["tariff", "template", "mine.yaml"]) == 2
    assert capsys.readouterr().err == (
        "vpp tariff: mine.yaml exists and is left alone; name another file.\n"
    )
    assert (tmp_path / "mine.yaml").read_text() == before
    assert [file.name for file in tmp_path.iterdir()] == ["mine.yaml"]


def test_validate_shows_the_prices_of_winter_and_summer_weekdays_and_weekends(capsys):
    assert main(["tariff", "validate", "net_billing_us_ca"]) == 0
    out = words(capsys)
    assert "hours Jan weekday Jan weekend Jul weekday Jul weekend" in out
    assert "16:00-21:00 0.3800 0.3800 0.6100 0.6100" in out
    assert "Export, USD/kWh (0.01 to 2.6 over the year)" in out


def test_validate_names_wholesale_demand_and_holidays(tmp_path, capsys):
    (tmp_path / "t.yaml").write_text(
        "name: t\ncurrency: EUR\nzone: Europe/Berlin\nholidays: [12-25, 2026-04-03]\n"
        "import: {wholesale_factor: 1.19, per_kwh: 0.18}\nexport: none\n"
        "demand: [{name: all, per_kw: 5, interval_min: 15}]\n"
    )
    assert main(["tariff", "validate", "t.yaml"]) == 0
    out = words(capsys)
    assert "Holidays: 12-25, 2026-04-03." in out
    assert "Demand, all: 5 EUR a kW of the month's highest average over 15 minutes." in out
    assert "Import, EUR/kWh, plus 1.19 x wholesale" in out


def test_validate_prints_every_problem_and_exits_with_2(tmp_path, capsys):
    (tmp_path / "t.yaml").write_text("name: t\ncurrency: euro\nzone: Berlin\nimport: {}\n")
    assert main(["tariff", "validate", "t.yaml"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("vpp tariff: t.yaml has 4 problems:\n")
    assert err.count("\n") == 5


def test_a_bill_is_printed_line_by_line_and_month_by_month(tmp_path, capsys):
    readings(tmp_path / "m.csv", rows=4)
    with (tmp_path / "m.csv").open("a") as file:
        file.write("2026-07-01T00:00+09:30,1000,0\n")
    assert main(["tariff", "bill", "tou_feed_in_au", "m.csv"]) == 0
    out = words(capsys)
    assert "5 intervals of 30 minutes from 2026-06-30T12:30:00 UTC, m.csv" in out
    start = out.index("2026-06")
    assert out[start : start + 5] == [
        "2026-06",
        "Daily charge 1.000 day 1.20000 1.20",
        "Import, peak 6.000 kWh 0.55000 3.30",  # 4 x 1.5
        "Export, flat 2.000 kWh -0.05000 -0.10",
        "Total 2026-06 4.40",
    ]
    assert "Total 2026-07 551.20" in out
    assert out[-2:] == ["Total 555.60", ""]


def test_a_tariff_with_wholesale_prices_needs_their_column(tmp_path, capsys):
    path = readings(tmp_path / "m.csv")
    assert main(["tariff", "bill", "dynamic_de", path]) == 2
    assert "add a column wholesale_per_mwh in EUR/MWh." in capsys.readouterr().err
    header = "time,net_kwh,wholesale_per_mwh"
    path = readings(tmp_path / "m.csv", header=header, cells="1,100", offset="+02:00")
    assert main(["tariff", "bill", "dynamic_de", path]) == 0
    out = words(capsys)
    assert "Import, wholesale x 1.19 4.000 kWh 0.11900 0.48" in out  # 4 x 0.1 x 1.19
    assert "Import, adder 4.000 kWh 0.18000 0.72" in out


@pytest.mark.parametrize("zone", [["--zone", "Etc/GMT-10"], ["--zone=Etc/GMT-10"]])
def test_stamps_without_offset_need_a_zone(tmp_path, capsys, zone):
    path = readings(tmp_path / "m.csv", offset="")
    assert main(["tariff", "bill", "flat_au", path]) == 2
    assert "has no UTC offset" in capsys.readouterr().err
    assert main(["tariff", "bill", "flat_au", path, *zone]) == 0
    assert "from 2026-06-30T12:00:00 UTC" in " ".join(words(capsys))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["validat", "x"], "does not know 'validat'; did you mean 'validate'?"),
        (["validate"], "vpp tariff validate takes TARIFF, got 0."),
        (["validate", "flat_ua"], "there is no example 'flat_ua'; did you mean 'flat_au'?"),
        (["validate", "no.yaml"], "no.yaml does not exist"),
        (["validate", "folder"], "folder is a folder; expected one tariff file"),
        (["bill", "flat_au"], "vpp tariff bill takes TARIFF READINGS, got 1."),
        (["bill", "flat_au", "no.csv"], "no.csv does not exist"),
        (["bill", "flat_au", "m.csv", "--zon", "x"], "not know '--zon'; did you mean '--zone'?"),
        (["bill", "flat_au", "m.csv", "--zone"], "vpp tariff bill: --zone needs a value."),
        (["list", "x"], "vpp tariff list takes nothing more, got 1."),
        (["template"], "vpp tariff template takes FILE, got 0."),
        (["template", "mine"], "mine: a tariff is a YAML file; name it mine.yaml."),
        (["template", "no/mine.yaml"], "no is not a folder; make it, or name another file."),
        (["template", "mine.yaml", "like=x"], "there is no example 'x'"),
        (["template", "mine.yaml", "liked=x"], "does not know 'liked=x'; did you mean 'like'?"),
    ],
)
def test_wrong_use_is_one_sentence_exit_code_2_and_no_file(tmp_path, capsys, arguments, sentence):
    (tmp_path / "folder").mkdir()
    assert main(["tariff", *arguments]) == 2
    out, err = capsys.readouterr()
    assert sentence in err
    assert err.startswith(("vpp tariff: ", "vpp tariff "))
    assert "vpp tariff: vpp" not in err
    assert err.count("\n") == 1
    assert out == ""
    assert [file.name for file in tmp_path.iterdir()] == ["folder"]


@pytest.mark.parametrize(("argv", "code"), [([], 2), (["--help"], 0), (["bill", "-h"], 0)])
def test_help_teaches_by_examples(argv, code, capsys):
    assert main(["tariff", *argv]) == code
    text = capsys.readouterr().out
    for verb in ("template", "validate", "bill", "list"):
        assert f"vpp tariff {verb}" in text
    assert "vpp tariff bill mine.yaml readings.csv" in text
    assert "time,import_kwh,export_kwh" in text
