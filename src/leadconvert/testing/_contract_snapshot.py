"""What `Store.load` promises of change sets: each is seen whole, or not at all."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import TypeVar

import attrs

from leadconvert import (
    Channel,
    Claim,
    Contact,
    Insert,
    MatchKey,
    Ref,
    Trace,
    Update,
    Wanted,
)
from leadconvert.errors import StoreError
from leadconvert.testing._contract_bench import Bench, Subject, benched, same


__all__ = ["Alone", "Shared"]

T = TypeVar("T")


def _nothing() -> None:
    pass


class _Acting(tuple[T, ...]):  # noqa: SLOT001 - it holds more than its items
    """A tuple which lets something happen when somebody goes through it for the first time."""

    # whoever makes another tuple of it, as some libraries do with what they are given, gets this
    act: Callable[[], None] = staticmethod(_nothing)

    def __iter__(self) -> Iterator[T]:
        act, self.act = self.act, _nothing
        act()
        return super().__iter__()


class Alone(Subject):
    """A storage that one user has for itself."""

    def test_alone_a_load_sees_whole_change_sets(self) -> None:
        """Before a change set is applied nothing of it is loaded, afterwards all of it."""
        with benched(self) as bench:
            scene = _Scene.of(bench)
            same("before", scene.seen(scene.wanted()), "nothing is seen before it is applied")
            scene.act(bench)
            same("after", scene.seen(scene.wanted()), "all is seen once it is applied")


class Shared(Subject):
    """A storage that several use at once."""

    def test_load_is_one_snapshot(self) -> None:
        """What another store writes while this one loads is seen whole or not at all."""
        for part in ("refs", "matches", "related", "traces"):
            with benched(self) as bench:
                other = bench.opened.other
                if other is None:
                    raise AssertionError("Opened.other is missing, yet shared is declared")
                beside = bench.beside(other)
                scene = _Scene.of(bench)
                wanted = scene.wanted()
                # a part of what is wanted, which lets the other act when it is gone through
                acting = _Acting(getattr(wanted, part))
                acting.act = partial(scene.act, beside)
                object.__setattr__(wanted, part, acting)
                seen = scene.seen(wanted)
                same(True, seen in {"before", "after"}, f"load is one snapshot, not {seen}")


@attrs.frozen
class _Scene:
    """Somebody loads a contact and all about it; a change set changes every part of that."""

    bench: Bench
    contact: Ref
    revision: str | None

    @classmethod
    def of(cls, bench: Bench) -> "_Scene":
        contact = bench.put_one(Contact(id="C-1", last_name="Lovelace"))
        return cls(bench, contact, bench.revision(contact))

    def wanted(self) -> Wanted:
        return Wanted(
            refs=(self.contact,),
            matches=(("contact", MatchKey("email", "new@example.com")),),
            related=(("deal", "contact_ids", self.contact),),
            traces=("scene",),
            key="scene",
        )

    def act(self, bench: Bench) -> None:
        """Change it all; a store that locks may say that this is to wait."""
        new, other = (Ref(kind, "x", provisional=True) for kind in ("deal", "contact"))
        values = {"last_name": "Byron", "emails": (Channel("new@example.com"),)}
        asked = bench.changes(
            Update(self.contact, self.revision, {"job_title": "Countess"}),
            Insert(other, values, [Claim(MatchKey("email", "new@example.com"))]),
            Insert(new, {"title": "Engine", "contact_ids": (self.contact,)}),
            key="scene",
            traces=[Trace(id="scene")],
        )
        with suppress(StoreError):
            bench.store.apply(asked)

    def seen(self, wanted: Wanted) -> str:
        """Tell what of the change set is loaded."""
        known = self.bench.store.load(wanted)
        found = self.bench.by_ref(known)
        contact = found[self.contact]
        parts: Mapping[str, bool] = {
            "refs": isinstance(contact, Contact) and contact.job_title is not None,
            "matches": any(ref.kind == "contact" and ref != self.contact for ref in found),
            "related": any(ref.kind == "deal" for ref in found),
            "traces": bool(known.traces),
            "receipt": known.receipt is not None,
        }
        if len(set(parts.values())) > 1:
            return "torn: " + ", ".join(name for name, new in parts.items() if new)
        return "after" if all(parts.values()) else "before"
