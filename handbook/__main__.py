"""python -m handbook site | notebooks: the HTML tree in out/docs, the classroom in out/notebooks."""

import argparse
import sys


def main(argv=None):
    parser = argparse.ArgumentParser("python -m handbook", description=__doc__)
    parser.add_argument("what", choices=("site", "notebooks"))
    parser.add_argument("--out", metavar="DIR", help="the folder (default: out/docs, out/notebooks)")
    options = parser.parse_args(argv)
    if options.what == "site":
        from handbook import site

        return site.build(options.out or "out/docs")
    from handbook import notebooks

    return notebooks.write_all(options.out or "out/notebooks")


if __name__ == "__main__":
    sys.exit(main())
