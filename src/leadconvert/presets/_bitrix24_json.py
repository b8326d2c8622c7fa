"""Reads leads from Bitrix24's REST JSON."""

from leadconvert import Lead


def leads(data: object) -> tuple[Lead, ...]:
    return ()
