"""The rule of format(): Java's specifiers, each as the expression that prints its argument."""

from __future__ import annotations

import re

from sqlglot import exp

from phlo.engine.dialect.calls import call_macro
from phlo.engine.dialect.kinds import kind_of
from phlo.engine.dialect.nodes import Node, fragment, native, refuse, text, text_of
from phlo.engine.dialect.rules import Rule, Translate  # noqa: TC001 - the registry is typed with it

_SPECIFIER = re.compile(
    r"%(?:(?P<plain>[%n])|(?:(?P<at>\d+)\$|(?P<same><))?(?P<flags>[-0,+ ]*)(?P<width>\d+)?(?:\.(?P<digits>\d+))?"
    r"(?P<type>[sSdfexXobB]|t[YymdeHMSBbAaj]))"
)
_CLOCK = {"Y": "%Y", "y": "%y", "m": "%m", "d": "%d", "e": "%-d", "H": "%H", "M": "%M", "S": "%S", "B": "%B", "b": "%b",
          "A": "%A", "a": "%a", "j": "%j"}  # fmt: skip
_KNOWN = "it knows %s %d %f %e %x %o %b and dates (%tY …), with a place, a width, '-', '0', '+', ',' and '.n'"
_DATES = frozenset({"date", "timestamp"})
_FITS = {"d": {"integer", ""}, "f": {"decimal", "double", "real", ""}, "e": {"double", "real", ""},
         "x": {"integer", ""}, "X": {"integer", ""}, "o": {"integer", ""}}  # fmt: skip


def _format(node: Node, t: Translate) -> Node:
    template = text_of(node.expressions[0]) if node.expressions else None
    if template is None:
        refuse(node, "format", "its first argument is a literal here")
    if len(node.expressions) < 2:
        refuse(node, "format", "it takes a template and at least one value")
    pieces: list[Node] = []
    end = place = last = 0
    for match in _SPECIFIER.finditer(template):
        pieces.append(text(_plain(node, template[end : match.start()])))
        end = match.end()
        if match["plain"]:
            pieces.append(text("%" if match["plain"] == "%" else "\n"))
            continue
        place += not (match["at"] or match["same"])
        last = int(match["at"]) if match["at"] else last if match["same"] else place
        pieces.append(_formatted(node, match, _operand(node, last), t))
    pieces.append(text(_plain(node, template[end:])))
    if place < len(node.expressions) - 1 and "$" not in template:
        refuse(node, "format", "it has more arguments than specifiers")
    kept = [piece for piece in pieces if text_of(piece) != ""] or [text("")]
    return fragment("(" + " || ".join(f"{{{i}}}" for i in range(len(kept))) + ")", *kept)


def _plain(node: Node, part: str) -> str:
    if "%" in part:
        refuse(node, "format", _KNOWN)
    return part


def _operand(node: Node, place: int) -> Node:
    if not 0 < place < len(node.expressions):
        refuse(node, "format", "it has fewer arguments than specifiers")
    operand: Node = node.expressions[place]
    return operand


def _formatted(node: Node, match: re.Match[str], operand: Node, t: Translate) -> Node:
    flags, letter, digits = match["flags"] or "", match["type"], match["digits"]
    kind = kind_of(operand).name
    if kind not in _FITS.get(letter, {kind}):
        refuse(node, f"format with {match[0]} of a {kind}", "cast the value to what the specifier prints")
    if digits and letter not in "fesS":
        refuse(node, f"format with {match[0]}", "only %f, %e and %s take digits")
    value = _printed(node, letter, operand, int(digits) if digits else None, t)
    if "," in flags:
        value = native("phlo_thousands", value)
    if "+" in flags or " " in flags:
        value = native("phlo_plus", value, text("+" if "+" in flags else " "))
    missing = "false" if letter in "bB" else "null"
    value = fragment("coalesce({0}, {1})", value, text(missing[: int(digits)] if digits else missing))
    if letter in "SXB":
        value = native("upper", value)
    if not match["width"]:
        return value
    padded = "phlo_zeros" if "0" in flags else "phlo_left" if "-" in flags else "phlo_right"
    return native(padded, value, exp.Literal.number(int(match["width"])))


def _printed(node: Node, letter: str, operand: Node, digits: int | None, t: Translate) -> Node:
    value = t(operand)
    if isinstance(operand, exp.Null):
        return fragment("CAST(NULL AS VARCHAR)")
    if letter.startswith("t"):
        if kind_of(operand).name not in _DATES:
            refuse(node, f"format with %{letter}", "cast the value to date or timestamp")
        return native("strftime", value, text(_CLOCK[letter[1]]))
    if letter == "e":
        return native(
            "phlo_py_java_format", fragment("CAST({0} AS DOUBLE)", value), text(f"{6 if digits is None else digits}e")
        )
    if letter == "f":
        rounded = f"CAST(TRY_CAST(phlo_s AS DECIMAL(38, {6 if digits is None else digits})) AS VARCHAR)"
        body = f"coalesce(phlo_java_word(phlo_s), phlo_signed_text({rounded}, phlo_s))"
        template = f"list_transform([{{0}}], lambda phlo_s: {body})[1]"
        return fragment(template, call_macro("phlo_digits", [value]))
    if letter == "d":
        return fragment("CAST(CAST({0} AS BIGINT) AS VARCHAR)", value)
    if letter in "xXo":
        return native(
            "phlo_base_of_bits", fragment("CAST({0} AS BIGINT)", value), exp.Literal.number(8 if letter == "o" else 16)
        )
    shown = call_macro("phlo_java_text", [value])
    return fragment("{0}[:{1}]", shown, exp.Literal.number(digits)) if digits is not None else shown


FORMATS: dict[str, Rule] = {"format": _format}
