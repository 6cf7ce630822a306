"""Cells of a notebook (nbformat 4.5), and a run of them: in a kernel, or, for tests, in this process."""

import contextlib
import io


def notebook(cells):
    """A notebook of these cells, numbered."""
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    numbered = [cell | {"id": f"cell-{number}"} for number, cell in enumerate(cells)]
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel}, "cells": numbered}


def markdown(text, pictures=None):
    attachments = {"attachments": pictures} if pictures else {}
    return {"cell_type": "markdown", "metadata": {}, "source": text} | attachments


def code(source, printed="", raises=False, **metadata):
    """task: the quantity whose function the cell holds; judges: that which it judges; raises: it is there to raise."""
    metadata |= {"tags": ["raises-exception"]} if raises else {}
    shown = [{"output_type": "stream", "name": "stdout", "text": printed}] if printed and not raises else []
    source = source.rstrip("\n")
    return {"cell_type": "code", "metadata": metadata, "source": source, "outputs": shown, "execution_count": None}


def task(cell):
    return cell["metadata"].get("task", "")


def run_here(book):
    """What each code cell prints, run in this process, by cell."""
    names, printed = {"__name__": "__main__"}, []
    for cell in book["cells"]:
        with contextlib.redirect_stdout(io.StringIO()) as out:
            if cell["cell_type"] == "code":
                exec(compile(cell["source"], cell["id"], "exec"), names)
        printed.append(out.getvalue())
    return printed


def run(book, seconds=600):
    """[(cell, what it prints)] of the code cells, run in a kernel; RuntimeError if one raises that should not."""
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel()
    try:
        return [(cell, _execute(client, cell, seconds)) for cell in book["cells"] if cell["cell_type"] == "code"]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def _execute(client, cell, seconds):
    """What a cell prints, and the value of its last line."""
    printed = []

    def keep(message):
        content = message["content"]
        if message["msg_type"] == "stream" and content["name"] == "stdout":
            printed.append(content["text"])
        elif message["msg_type"] == "execute_result":
            printed.append(content["data"]["text/plain"] + "\n")

    reply = client.execute_interactive(cell["source"], timeout=seconds, output_hook=keep)["content"]
    if reply["status"] == "error" and "raises-exception" not in cell["metadata"].get("tags", ()):
        raise RuntimeError(f"{reply['ename']}: {reply['evalue']} in\n{cell['source']}")
    return "".join(printed)
