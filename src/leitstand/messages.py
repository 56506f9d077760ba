"""The one message catalogue: every sentence a person reads, in English and German.

The sentences are Fluent files (https://projectfluent.org) in `texts/<language>/*.ftl`; all files of
a language form one name space. `problem-<code>` says what happened, its attribute `.why` the reason
and `.do` what to do. Numbers, money, times and lists are localised here, so that no caller formats
one by hand. Text that media or people wrote enters a sentence as a parameter and comes out with its
control characters made visible: a file name can neither end a line nor repaint a terminal.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, tzinfo
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

from leitstand.core.problem import Exit, Problem

if TYPE_CHECKING:
    from babel import Locale
    from fluent.runtime import FluentBundle

LANGUAGES = ("en", "de")
Param = str | int | float | Decimal | None

_PARAM_CHARACTERS_MAX = 2_000
"""Fluent refuses a placeable over 2,500 characters; longer values are cut and marked."""
_NUMBERS = {"en": "en_GB", "de": "nb"}
"""The house style groups German digits by a space (`48 219,5`). CLDR's German has a point there;
its Norwegian has exactly our signs and, for one and many, German's plural rule."""
_DATES = {"en": "en_GB", "de": "de"}
_DAY = {"en": "d MMMM y", "de": "d. MMMM y"}
_SHORT_DAY = {"en": "d MMM", "de": "d. MMM"}
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class Told(NamedTuple):
    """A problem in words: what happened, and where known why and what to do."""

    what: str
    why: str | None
    do: str | None


@dataclass(frozen=True, slots=True)
class Texts:
    """The catalogue in one language. Raises Problem `unknown-language` for any other."""

    lang: str = "en"

    def __post_init__(self) -> None:
        if self.lang not in LANGUAGES:
            raise Problem(
                "unknown-language", Exit.USAGE, given=self.lang, known=", ".join(LANGUAGES)
            )

    def say(self, id: str, /, **params: Param) -> str:
        """The message, or with `name.attribute` one of its attributes.

        Raises LookupError if there is no such message or a variable it needs was not given.
        """
        name, _, attribute = id.partition(".")
        bundle = _bundle(self.lang)
        message = bundle.get_message(name)
        pattern = message.attributes[attribute] if attribute else message.value
        if pattern is None:
            raise LookupError(f"{id} has no text of its own")
        text, errors = bundle.format_pattern(pattern, _fluent(params))
        if errors:
            raise LookupError(f"{id}: {errors[0]}")
        return str(text)

    def knows(self, id: str) -> bool:
        """Whether the catalogue has this message."""
        return _bundle(self.lang).has_message(id)

    def problem(self, code: str, params: Mapping[str, Param]) -> Told:
        """A problem in words. Never raises: this is the last thing said before an exit.

        A code without an entry falls back to a sentence that names the code; an attribute that
        comes out empty, or whose parameters are not known, counts as absent. Parameters whose name
        ends with `_eur` are shown as money.
        """
        bundle = _bundle(self.lang)
        params = {name: self._shown(name, value) for name, value in params.items()}
        if not bundle.has_message(f"problem-{code}"):
            code, params = "unnamed", {"code": code}
        message = bundle.get_message(f"problem-{code}")

        def told(pattern: object, *, whole: bool) -> str | None:
            if pattern is None:
                return None
            text, errors = bundle.format_pattern(pattern, _fluent(params))  # type: ignore[arg-type]
            return None if whole and errors else str(text).strip() or None

        why, do = (told(message.attributes.get(name), whole=True) for name in ("why", "do"))
        return Told(told(message.value, whole=False) or code, why, do)

    def _shown(self, name: str, value: Param) -> Param:
        if name.endswith("_eur") and value is not None:
            with suppress(ArithmeticError):
                return self.euros(str(value))
        return value

    # --- numbers, money, times ---------------------------------------------------------------

    def number(self, value: float | Decimal, digits: int | None = None) -> str:
        """`6.6`, `6,6`, `48,219`, `48 219`; `digits` after the point, rounded half up."""
        from babel.numbers import format_decimal

        exact = Decimal(str(value))
        if digits is None:
            return format_decimal(exact, format="#,##0.######", locale=_NUMBERS[self.lang])
        rounded = exact.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
        form = "#,##0" + ("." + "0" * digits if digits else "")
        return format_decimal(rounded, format=form, locale=_NUMBERS[self.lang])

    def percent(self, share: float, digits: int = 0) -> str:
        """`50 %` of a share in 0..1."""
        return f"{self.number(share * 100, digits)}\u00a0%"

    def euros(self, amount: Decimal | str) -> str:
        """`1.71 €`, `1,71 €`; an amount that is not zero never reads as zero."""
        exact = Decimal(amount)
        if 0 < exact < Decimal("0.005"):
            return f"<\u00a0{self.number(Decimal('0.01'), 2)}\u00a0€"
        return f"{self.number(exact, 2)}\u00a0€"

    def size(self, count: int) -> str:
        """Bytes in decimal units: `8.1 MB`, `6.2 GB`."""
        value, unit = float(count), "B"
        for larger in ("kB", "MB", "GB", "TB"):
            if value < 999.95:
                break
            value, unit = value / 1000, larger
        return f"{self.number(value, 0 if unit == 'B' else 1)}\u00a0{unit}"

    def gib(self, value: float) -> str:
        """Memory: `17.2 GiB`."""
        return f"{self.number(value, 1)}\u00a0GiB"

    def clock(self, seconds: float, digits: int = 1) -> str:
        """A position in a medium or its length: `1:19.5`, `0:48`, `1:02:03`."""
        unit = 10**digits
        ticks = int(Decimal(str(max(seconds, 0.0))).scaleb(digits).to_integral_value(ROUND_HALF_UP))
        whole, part = divmod(ticks, unit)
        minutes, second = divmod(whole, 60)
        hours, minute = divmod(minutes, 60)
        head = f"{hours}:{minute:02d}" if hours else f"{minute}"
        point = "," if self.lang == "de" else "."
        tail = f"{point}{part:0{digits}d}" if digits else ""
        return f"{head}:{second:02d}{tail}"

    def duration(self, seconds: float) -> str:
        """How long something takes: `0.4 s`, `14 s`, `1 min 58 s`, `3 h 40`."""
        if seconds < 9.95:
            return f"{self.number(max(seconds, 0.0), 1)}\u00a0s"
        whole = round(seconds)
        if whole < 60:
            return f"{whole}\u00a0s"
        minutes, second = divmod(whole, 60)
        if minutes < 60:
            rest = f" {second}\u00a0s" if second else ""
            return f"{minutes}\u00a0min{rest}"
        hours, minute = divmod(round(whole / 60), 60)
        return f"{self.number(hours, 0)}\u00a0h" + (f"\u00a0{minute:02d}" if minute else "")

    def date(self, at: datetime, zone: tzinfo | None = None) -> str:
        """`23 November 2026`, `23. November 2026`."""
        from babel.dates import format_date

        return format_date(_in(at, zone), _DAY[self.lang], locale=_DATES[self.lang])

    def day(self, at: datetime, zone: tzinfo | None = None) -> str:
        """`23 Nov`, `23. Nov.`: where the year goes without saying."""
        from babel.dates import format_date

        return format_date(_in(at, zone), _SHORT_DAY[self.lang], locale=_DATES[self.lang])

    def time(self, at: datetime, zone: tzinfo | None = None, seconds: bool = False) -> str:
        """`09:38`, `09:38:07`."""
        return _in(at, zone).strftime("%H:%M:%S" if seconds else "%H:%M")

    # --- words ---------------------------------------------------------------------------------

    def join(self, items: Iterable[str]) -> str:
        """`a`, `a and b`, `a, b and c`."""
        from babel.lists import format_list

        return format_list(list(items), locale=_DATES[self.lang])

    def language(self, code: str) -> str:
        """The name of a language by its code: `German`, `Deutsch`; an unknown code as it is."""
        names: Mapping[str, str] = _locale(_DATES[self.lang]).languages
        return names.get(code.partition("-")[0].lower(), plain(code))


def plain(text: str) -> str:
    """Text on one line that cannot steer a terminal or turn the reading direction around it.

    Control characters become their pictures (U+2400 block), direction marks and lone surrogates
    U+FFFD; everything else, emoji included, stays.
    """
    return "".join(map(_visible, text)) if not text.isprintable() else text


def _visible(character: str) -> str:
    point = ord(character)
    if point < 0x20:
        return chr(0x2400 + point)
    if point == 0x7F:
        return "\u2421"
    if character in _BIDI or unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}:
        return "\ufffd"
    return character


def _fluent(params: Mapping[str, Param]) -> dict[str, int | float | Decimal | str]:
    out: dict[str, int | float | Decimal | str] = {}
    for name, value in params.items():
        if isinstance(value, str):
            short = value if len(value) <= _PARAM_CHARACTERS_MAX else value[:1_999] + "…"
            out[name] = plain(short)
        else:
            out[name] = "none" if value is None else value
    return out


def _in(at: datetime, zone: tzinfo | None) -> datetime:
    return at if zone is None else at.astimezone(zone)


@cache
def _locale(name: str) -> Locale:
    from babel import Locale

    return Locale.parse(name)


@cache
def _bundle(lang: str) -> FluentBundle:
    from fluent.runtime import FluentBundle, FluentResource

    bundle = FluentBundle([_NUMBERS[lang].replace("_", "-")], use_isolating=False)
    folder = resources.files("leitstand") / "texts" / lang
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith(".ftl"):
            bundle.add_resource(FluentResource(entry.read_text(encoding="utf-8")))
    return bundle
