"""Checks of values from outside; InputError says what is valid."""

from __future__ import annotations

from legcurl.errors import InputError
from legcurl.store.records import CORRECTION_KINDS, OUTCOMES

COUNT_MAX = 200
LOAD_MAX_KG = 500.0


def correct_value(kind: str, value: object) -> int | str | None:
    """The value of a correction of a kind. InputError if it is invalid."""
    if kind not in CORRECTION_KINDS:
        raise InputError(f"A correction is one of {', '.join(CORRECTION_KINDS)}, not {kind!r}.")
    if kind == "count":
        if type(value) is not int or not 0 <= value <= COUNT_MAX:
            raise InputError(f"A count is a whole number from 0 to {COUNT_MAX}, not {value!r}.")
        return value
    if kind == "outcome":
        if not isinstance(value, str) or value not in OUTCOMES:
            raise InputError(f"An outcome is one of {', '.join(OUTCOMES)}, not {value!r}.")
        return value
    return None


def check_load(load_kg: object) -> None:
    """InputError for a load that no machine has."""
    if load_kg is None:
        return
    if type(load_kg) not in (int, float) or not 0 <= load_kg <= LOAD_MAX_KG:  # type: ignore[operator]
        raise InputError(f"A load is from 0 to {LOAD_MAX_KG:g} kg, not {load_kg!r}.")


def clean(text: object, longest: int, what: str) -> str | None:
    """A text without surrounding blanks; None stays None."""
    if text is None:
        return None
    if not isinstance(text, str) or len(text) > longest or not storable(text):
        raise InputError(f"{what} is a text of at most {longest} characters.")
    return text.strip()


def storable(text: str) -> bool:
    """Whether every database stores it: no NUL and no surrogates."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)
