"""A normalizer that knows the numbering plans of the world and what an e-mail address may be.

It needs the extra ``normalize``.
"""

import attrs
import phonenumbers
from email_validator import EmailNotValidError, validate_email

from leadconvert.matching import Plain


__all__ = ["Standard"]


@attrs.frozen
class Standard:
    """Phones in the form E.164, by phonenumbers; e-mails by email-validator; names as `Plain`.

    *region* is where numbers without an international prefix belong (ISO 3166-1 alpha-2); without
    it they are no numbers. Nothing is looked up in the network.

    Example:
        >>> from leadconvert.normalize import Standard
        >>> Standard("DE").phone("030 / 123456"), Standard("DE").email("Ada@EXAMPLE.com")
        ('+4930123456', 'ada@example.com')
    """

    region: str | None = None

    def email(self, value: str, /) -> str | None:
        """Return the address in small letters, its domain as it is written, or None if it is none.

        Example:
            >>> from leadconvert.normalize import Standard
            >>> Standard().email("ada@localhost") is None
            True
        """
        try:
            found = validate_email(value.strip(), check_deliverability=False)
        except EmailNotValidError:
            return None
        return found.normalized.casefold()

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
        if not phonenumbers.is_possible_number(number):
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
