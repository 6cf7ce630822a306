"""A formula of a page as numbers: the LaTeX itself is read and evaluated, given what its symbols stand for.

Grammar: sums of terms; a term is factors side by side, or with \\cdot or / between; a factor may have a power. \\frac,
\\sqrt, \\log, \\sigma, \\mathrm{...} and e^ are known; \\sum_i and \\prod_i go over all that follows in their term.
Side by side, a matrix multiplies as a matrix, and what then meets a vector as well; all else unit by unit.
"""

import re

import numpy as np
from scipy.special import expit

FUNCTIONS = {
    r"\log": np.log,
    r"\sigma": expit,
    r"\mathrm{softplus}": lambda x: np.logaddexp(0, x),
    r"\mathrm{artanh}": np.arctanh,
    r"\mathrm{logit}": lambda q: np.log(q) - np.log1p(-q),
    r"\max": lambda x, y: np.maximum(x, y),
}
NOTHING = r"\\left|\\right|\\Big[()\[\]]?(?<=Big)|\\Big|\\big|\\,|\\;|\\!|\\text\{[^}]*\}|\s+"


class Formula:
    """A piece of LaTeX, read from left to right."""

    def __init__(self, text, symbols):
        self.text, self.at = text, 0
        self.symbols = dict(sorted(symbols.items(), key=lambda item: -len(item[0])))  # the longest name that fits

    def value(self):
        found = self.sum()
        assert not self.rest(), f"cannot read on at {self.rest()!r} of {self.text!r}"
        return found

    def rest(self):
        """What is left, without space and sizes of brackets."""
        while match := re.match(NOTHING, self.text[self.at :]):
            if not match.group():
                break
            self.at += match.end()
        return self.text[self.at :]

    def took(self, *tokens):
        """The first of these that comes next, taken; or None."""
        for token in tokens:
            if self.rest().startswith(token):
                self.at += len(token)
                return token
        return None

    def need(self, token):
        assert self.took(token), f"expected {token!r} at {self.rest()!r} of {self.text!r}"

    def sum(self):
        sign = -1 if self.took("-") else 1
        total = sign * self.term()
        while operator := self.took("+", "-"):
            total = total + self.term() if operator == "+" else total - self.term()
        return total

    def term(self):
        if over := self.took(r"\sum", r"\prod"):
            assert self.took("_"), f"{over} over what?"
            self.group_text()
            return (np.sum if over == r"\sum" else np.prod)(self.term())
        product, matrix = self.factor(), None
        matrix = np.ndim(product) == 2
        while True:
            if self.took("/", r"\Big/"):
                product = product / self.factor()
            elif self.took(r"\cdot"):
                product = dot(product, self.term())
            elif self.rest().startswith((r"\sum", r"\prod")):
                return product * self.term()
            elif self.begins_factor():
                other = self.factor()
                matrix = matrix or np.ndim(other) == 2
                product = product @ other if matrix and np.ndim(product) and np.ndim(other) else product * other
            else:
                return product

    def begins_factor(self):
        rest = self.rest()
        names = (*self.symbols, *FUNCTIONS, r"\frac", r"\tfrac", r"\sqrt", "e^", "(", "[", r"\lbrace")
        return rest.startswith(names) or bool(re.match(r"\d", rest))

    def factor(self):
        base = self.base()
        if self.took("^"):
            base = base ** self.group()
        return base

    def base(self):
        for name, value in self.symbols.items():
            if self.took(name):
                return value
        if self.took(r"\frac", r"\tfrac"):
            return self.group() / self.group()
        if self.took(r"\sqrt"):
            return np.sqrt(self.group())
        if self.took("e^"):
            return np.exp(self.group())
        for name, function in FUNCTIONS.items():
            if self.took(name):
                return self.applied(function)
        for opening, closing in (("(", ")"), ("[", "]")):
            if self.took(opening):
                return self.until(closing)
        number = re.match(r"\d+(\.\d+)?", self.rest())
        assert number, f"cannot read {self.rest()!r} of {self.text!r}"
        self.at += number.end()
        return float(number.group())

    def applied(self, function):
        if self.took("("):
            first = self.sum()
            arguments = [first, self.sum()] if self.took(",") else [first]
            self.need(")")
            return function(*arguments)
        return function(self.term())

    def until(self, closing):
        found = self.sum()
        self.need(closing)
        return found

    def group(self):
        """What is in braces, or one sign."""
        if self.took("{"):
            return self.until("}")
        digit = re.match(r"\d", self.rest())
        if digit:
            self.at += 1
            return float(digit.group())
        return self.base()

    def group_text(self):
        match = re.match(r"\{[^}]*\}(\^[A-Za-z]|\^\{[^}]*\})?|\w(\^[A-Za-z])?", self.rest())
        self.at += match.end()
        return match.group()


def dot(x, y):
    """x . y of two vectors; of numbers, or a number and a vector, their product."""
    return x @ y if np.ndim(x) and np.ndim(y) else x * y


def value(text, **symbols):
    """The formula's value, symbols given by their LaTeX."""
    return Formula(text, symbols).value()


def evaluate(text, symbols):
    return Formula(text, symbols).value()


def sides(text):
    """The sides of an equation, ... = ... = ..., up to its full stop."""
    text = re.sub(r"[ .,]+$", "", text.strip())
    return [side for side in re.split(r"(?<![:\\])=(?!:)", text) if side.strip()]
