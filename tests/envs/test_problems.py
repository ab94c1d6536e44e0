from vpp_envs.problems import Problem, report

LOW = Problem(3, "usable_kwh", "-1", "must be above 0; mend it")
NEAR = Problem(1, "usable", "", "is no column here; did you mean 'usable_kwh'?")


def test_one_problem_is_one_sentence():
    assert report("homes.csv", [LOW], "row") == (
        "homes.csv, row 3, usable_kwh: -1 must be above 0; mend it."
    )


def test_more_are_a_line_each_in_the_order_of_the_file():
    assert report("homes.csv", [LOW, NEAR]).splitlines() == [
        "homes.csv has 2 problems:",
        "  line 1, usable: is no column here; did you mean 'usable_kwh'?",
        "  line 3, usable_kwh: -1 must be above 0; mend it.",
    ]


def test_what_is_not_in_a_file_has_no_line():
    assert LOW._replace(line=0).told() == "usable_kwh: -1 must be above 0; mend it."


def test_beyond_the_most_lines_problems_are_counted():
    problems = [LOW._replace(line=line) for line in range(2, 2502)]
    lines = report("homes.csv", problems, "row", most=2).splitlines()
    assert lines[0] == "homes.csv has 2,500 problems:"
    assert [line.split(",")[0] for line in lines[1:3]] == ["  row 2", "  row 3"]
    assert lines[3:] == ["  and 2,498 more."]
