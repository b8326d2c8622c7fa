"""A normalizer that knows the numbering plans of the world and what an e-mail address may be.

It needs the extra ``normalize``.
"""

from typing import Final

import attrs
import phonenumbers
from email_validator import EmailNotValidError, validate_email

from leadconvert.errors import DefinitionError
from leadconvert.matching import Plain
from leadconvert.problems import unknown


__all__ = ["Standard"]

_POSSIBLE: Final = phonenumbers.ValidationResult.IS_POSSIBLE


@attrs.frozen
class Standard:
    """Phones in the form E.164, by phonenumbers; e-mails by email-validator; names as `Plain`.

    *region* is where numbers without an international prefix belong (ISO 3166-1 alpha-2); without
    it they are no numbers. Nothing is looked up in the network.

    Raises:
        leadconvert.errors.DefinitionError: there is no such region.

    Example:
        >>> from leadconvert.normalize import Standard
        >>> Standard("DE").phone("030 / 123456"), Standard("DE").email("Ada@EXAMPLE.com")
        ('+4930123456', 'ada@example.com')
    """

    region: str | None = None

    def __attrs_post_init__(self) -> None:
        regions = phonenumbers.SUPPORTED_REGIONS
        if self.region is not None and self.region not in regions:
            raise DefinitionError([unknown("region", self.region, sorted(regions), "normalizer")])

    def email(self, value: str, /) -> str | None:
        """Return the address in small letters, its domain as it is written, or None if it is none.

        Example:
            >>> from leadconvert.normalize import Standard
            >>> Standard().email("ada@localhost") is None
            True
        """
        told = Plain().email(value)
        if told is None:
            return None
        try:
            return validate_email(told, check_deliverability=False).normalized
        except EmailNotValidError:
            return None

    def phone(self, value: str, /) -> str | None:
        """Return the number as E.164, without its extension, or None if there is no such number.

        Example:
            >>> from leadconvert.normalize import Standard
            >>> Standard().phone("+44 20 7946 0958"), Standard().phone("020 7946 0958")
            ('+442079460958', None)
        """
        try:
            number = phonenumbers.parse(value, self.region)
        except phonenumbers.NumberParseException:
            return None
        # a number without its area code is somebody's in every town, one digit alone is nobody's
        if phonenumbers.is_possible_number_with_reason(number) != _POSSIBLE:
            return None
        if len(set(str(number.national_number))) == 1:
            return None
        return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)

    def name(self, value: str, /) -> str | None:
        """Return a name's words, as `Plain` does.

        Example:
            >>> from leadconvert.normalize import Standard
            >>> Standard().name("D'Arc")
            'darc'
        """
        return Plain().name(value)
