"""Wrong usage in one line: who refuses it, what it may have meant, where help is; what is right goes through."""

import argparse

import pytest

from dvae_ref.program import usage


def parser(kind=usage.Parser):
    top = kind("program")
    top.add_argument("--debug", action="store_true")
    train = top.add_subparsers(dest="command", required=True, metavar="COMMAND").add_parser("train")
    train.add_argument("--warm-up", type=float)
    train.add_argument("--sampler", choices=("pa", "pcd", "annealing"))
    train.add_argument("--number", type=int, choices=(12, 144))
    return top


def refused(line, capsys, kind=usage.Parser):
    with pytest.raises(SystemExit) as end:
        parser(kind).parse_args(line.split())
    assert end.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "program: the following arguments are required: COMMAND (see program --help)"),
        ("trian", "; did you mean train? (see program --help)"),
        ("train --warmup=3", "train: unrecognized arguments: --warmup=3; did you mean --warm-up? (see program train"),
        ("train 7 --warmup 3", "program train: unrecognized arguments: 7 --warmup 3 (see program train --help)"),
        ("train --zzz 3", "program train: unrecognized arguments: --zzz 3 (see program train --help)"),
        ("train --debug", "unrecognized arguments: --debug (see"),  # an option of another parser, like none of this one
        ("train --warm-up x", "program train: argument --warm-up: invalid float value: 'x' (see program train --help)"),
        ("train --sampler anealing", "; did you mean annealing? (see program train --help)"),
        ("train --number 1444", "; did you mean 144? (see program train --help)"),
    ],
)
def test_one_line_says_what_is_wrong(line, said, capsys):
    found = refused(line, capsys)
    assert said in found
    assert found.count("\n") == 1


def test_control_argparse_says_more_and_less(capsys):
    found = refused("train --warmup=3", capsys, argparse.ArgumentParser)
    assert found.count("\n") > 1
    assert "did you mean" not in found


def test_what_is_right_goes_through():
    found = parser().parse_args(["--debug", "train", "--warm", "0.5", "--sampler", "pcd", "--number", "12"])
    assert (found.debug, found.command, found.warm_up, found.sampler, found.number) == (True, "train", 0.5, "pcd", 12)
