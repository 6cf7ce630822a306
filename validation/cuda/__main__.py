"""python -m validation.cuda: compile the kernels for H100 and write the tables of docs/cuda.md."""

import argparse
import sys
from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs" / "cuda.md"
MISSING = "python -m validation.cuda needs numba-cuda and nvdisasm: pip install '.[cuda,sass]'"


def main(argv=None):
    parser = argparse.ArgumentParser("python -m validation.cuda", description="Write the tables of docs/cuda.md.")
    parser.add_argument("--print", action="store_true", help="print the tables and leave the document alone")
    options = parser.parse_args(argv)
    try:
        from validation.cuda import tables
    except ImportError as error:
        sys.exit(f"{MISSING} ({error})")
    text = tables.tables()
    if options.print:
        print(text)
        return
    before, rest = DOCUMENT.read_text(encoding="utf-8").split(tables.BEGIN)
    DOCUMENT.write_text(before + text + rest.split(tables.END, 1)[1], encoding="utf-8")


if __name__ == "__main__":
    main()
