"""Change tracking beside a plain model: after any series of edits, writes, reads and rollbacks, the database has what was
written, and an instance knows in what it differs from it.

The model keeps what the database must have (`there`) and, for each instance, what the user has set (`mine`) and what the
instance last learned of its row (`base`). A write is the difference of the two, and nothing else.
"""

from __future__ import annotations

import asyncio
import copy
import pickle
from typing import Any, ClassVar

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import (
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from orm_tracked import (
    CLASSES,
    EXAMPLES,
    KEYS,
    MUTABLE,
    MachineParent,
    MachinePlain,
    edit_in_place,
    field_and_value,
    frozen,
)
from orm_tracking_model import Known, TrackingModel

from data_bridge.postgres import (
    RevisionConflict,
    RowNotFound,
    begin_transaction,
    close,
    create_all,
    drop_all,
    init,
)


class Tracking(TrackingModel):
    # ---------------------------------------------------------------------------------------------------------- edits
    def set(self, one: Known, key: str, value: Any, how: int) -> None:
        row = one.row
        if key == "parent_id":
            if how == 0:
                row.parent_id = value
            elif how == 1:
                row.parent = value
            elif value is None:
                row.parent = None
            else:
                row.parent = self.parents[value]
        elif key in MUTABLE and how < 2 and key in one.loaded:
            edit_in_place(row, key, value, how)
        else:
            setattr(row, key, copy.deepcopy(value))
        one.mine[key] = frozen(getattr(row, key))
        one.loaded.add(key)
        one.by_user.add(key)
        if key in MUTABLE and how < 2 and one.base is not None and one.mine[key] == one.base.get(key):
            one.by_user.discard(key)  # an edit in place that changes nothing leaves no trace

    parents: ClassVar[dict[int, Any]] = {}

    @rule(data=st.data(), edit=field_and_value, how=st.integers(0, 2))
    def edits(self, data: Any, edit: Any, how: int) -> None:
        self.set(self.pick(data), *edit, how)

    @rule(data=st.data())
    def loads_the_link(self, data: Any) -> None:
        one = self.pick(data)
        if "parent_id" in one.loaded and one.row.parent is not None:
            self.run(one.row.fetch("parent", tx=self.tx()))

    @rule(data=st.data(), is_cut=st.booleans())
    def links_a_row_that_is_saved_later(self, data: Any, is_cut: bool) -> None:
        one = self.pick(data)
        if self.transactions or one.base is None:
            return
        parent = MachineParent()
        one.row.parent = parent
        if is_cut:
            one.row.parent_id = None
        self.run(parent.save())
        assert one.row.is_changed is not None  # asks for the key
        one.mine["parent_id"] = frozen(None if is_cut else parent.id)
        one.loaded.add("parent_id")
        one.by_user.add("parent_id")

    @rule(data=st.data(), key=st.sampled_from(KEYS))
    def marks(self, data: Any, key: str) -> None:
        one = self.pick(data)
        if one.base is not None and key in one.loaded:
            one.row.mark_changed(key)
            one.row.discard_changes()
            self.discarded(one)

    @rule(data=st.data())
    def discards(self, data: Any) -> None:
        one = self.pick(data)
        one.row.discard_changes()
        self.discarded(one)

    def discarded(self, one: Known) -> None:
        if one.base is not None:
            one.mine = dict(one.base)
            one.loaded = set(one.base)
            one.by_user.clear()

    # --------------------------------------------------------------------------------------------------------- writes
    @rule(
        data=st.data(),
        forced=st.booleans(),
        meanwhile=st.lists(st.tuples(field_and_value, st.integers(0, 2)), max_size=2),
    )
    def saves(self, data: Any, forced: bool, meanwhile: Any) -> None:
        one = self.pick(data)

        def edits() -> None:
            for (key, value), how in meanwhile:
                self.set(one, key, value, how)

        async def work() -> None:
            if one.base is None:
                values = dict(one.mine)
                task = asyncio.ensure_future(one.row.save(tx=self.tx()))
                await asyncio.sleep(0)
                edits()
                await task
                one.pk, one.base = one.row.id, {}
                self.there[one.pk] = values  # type: ignore[index]
                await self.wrote(one, values, may_vary=MUTABLE)
                return
            fields = {k: one.mine[k] for k in one.loaded} if forced else one.changes()
            await self.write(one, one.row.save(force=forced, tx=self.tx()), fields, edits, MUTABLE if meanwhile else ())

        self.run(work())

    @rule(data=st.data(), key=st.sampled_from(KEYS))
    def saves_only(self, data: Any, key: str) -> None:
        one = self.pick(data)
        if one.base is not None:
            fields = {k: v for k, v in one.changes().items() if k == key}
            self.run(self.write(one, one.row.save(only=[key], tx=self.tx()), fields))

    @rule(data=st.data(), edit=field_and_value, meanwhile=field_and_value | st.none(), how=st.integers(0, 2))
    def updates(self, data: Any, edit: Any, meanwhile: Any, how: int) -> None:
        one = self.pick(data)
        if one.base is None:
            return
        key, value = edit

        edited: list[str] = []

        def edits() -> None:
            if meanwhile:
                self.set(one, *meanwhile, how)
                changed = meanwhile[0]
                if changed not in MUTABLE or how == 2 or one.mine[changed] != one.base.get(changed):  # type: ignore[union-attr]
                    edited.append(changed)  # an edit in place that changes nothing leaves no trace

        async def work() -> None:
            done = await self.write(
                one, one.row.update({key: copy.deepcopy(value)}, tx=self.tx()), {key: frozen(value)}, edits
            )
            if done:
                self.learn(one, (key,), keep=edited)

        self.run(work())

    @rule(data=st.data())
    def replaces(self, data: Any) -> None:
        one = self.pick(data)
        if one.base is not None:
            self.run(self.write(one, one.row.replace(tx=self.tx()), {k: one.mine[k] for k in one.loaded}))

    @rule(data=st.data(), edit=field_and_value, other=field_and_value, how=st.integers(0, 2))
    def saves_twice_at_once(self, data: Any, edit: Any, other: Any, how: int) -> None:
        one = self.pick(data)
        if one.base is None or self.refused(one):
            return

        async def work() -> None:
            self.set(one, *edit, how)
            is_written = bool(one.changes())
            first = asyncio.ensure_future(one.row.save(tx=self.tx()))
            await asyncio.sleep(0)
            self.set(one, *other, how)
            await asyncio.gather(first, one.row.save(tx=self.tx()), one.row.save(tx=self.tx()))
            await self.wrote(one, one.changes())
            if is_written:  # and perhaps written back
                one.server = dict(self.server[one.pk])  # type: ignore[index]

        self.run(work())

    @rule(data=st.data(), many=st.integers(1, 3))
    def updates_in_bulk(self, data: Any, many: int) -> None:
        ones = {o.pk: o for o in (self.pick(data) for _ in range(many)) if o.base is not None and not self.refused(o)}

        async def work() -> None:
            fields = {pk: one.changes() for pk, one in ones.items()}
            count = await self.cls.bulk_update([one.row for one in ones.values()], tx=self.tx())
            assert count == len([f for f in fields.values() if f])
            for pk in ones:
                self.there[pk] = {**self.there[pk], **fields[pk]}  # type: ignore[index]
            for pk, one in ones.items():
                await self.wrote(one, fields[pk])

        self.run(work())

    @rule(data=st.data(), key=st.sampled_from(KEYS))
    def upserts(self, data: Any, key: str) -> None:
        one = self.pick(data)
        if one.base is None or one.row.__dict__.keys() != self.cls.model_fields.keys() or self.refused(one):
            return

        async def work() -> None:
            done = await self.cls.upsert(one.row, conflict=["id"], update=[key], tx=self.tx())
            assert not done.created and done.row is one.row
            self.there[one.pk] = {**self.there[one.pk], key: one.mine[key]}  # type: ignore[index]
            await self.check()
            self.learn(one, KEYS)
            one.server = dict(self.server[one.pk])  # type: ignore[index]

        self.run(work())

    @rule(data=st.data(), edit=field_and_value)
    def somebody_else_writes(self, data: Any, edit: Any) -> None:
        one = self.pick(data)
        key, value = edit

        async def work() -> None:
            if one.pk in self.there:
                await self.cls.find(self.cls.id == one.pk).using(self.tx()).update({key: value})
                self.there[one.pk] = {**self.there[one.pk], key: frozen(value)}
                await self.check()

        self.run(work())

    @rule(data=st.data())
    def deletes(self, data: Any) -> None:
        one = self.pick(data)
        if one.base is None or len(self.there) < 2:
            return

        async def work() -> None:
            error = self.refused(one)
            if error is RevisionConflict:
                with pytest.raises(RevisionConflict):
                    await one.row.delete(tx=self.tx())
                return
            assert await one.row.delete(tx=self.tx()) is (error is None)
            one.is_gone = True
            self.there.pop(one.pk, None)  # type: ignore[arg-type]
            await self.check()

        self.run(work())

    @rule()
    def inserts(self) -> None:
        if len(self.there) < 4:
            self.run(self.insert())

    # ---------------------------------------------------------------------------------------------------------- reads
    @rule(
        data=st.data(),
        keeping=st.booleans(),
        keys=st.sets(st.sampled_from(KEYS)),
        meanwhile=field_and_value | st.none(),
    )
    def refreshes(self, data: Any, keeping: bool, keys: Any, meanwhile: Any) -> None:
        one = self.pick(data)
        if one.base is None:
            return

        async def work() -> None:
            pinned = set(one.changes()) if keeping else set()
            task = asyncio.ensure_future(one.row.refresh(*keys, keep_changes=keeping, tx=self.tx()))
            if meanwhile is not None:
                await asyncio.sleep(0)
                self.set(one, *meanwhile, 2)
                pinned.add(meanwhile[0])
            if one.pk not in self.there:
                with pytest.raises(RowNotFound):
                    await task
                return
            await task
            self.learn(one, keys or KEYS, keep=pinned)
            if not keys:
                one.server = dict(self.server[one.pk])

        self.run(work())

    @rule(data=st.data(), keys=st.sets(st.sampled_from(KEYS)))
    def loads(self, data: Any, keys: Any) -> None:
        if len(self.known) > 6 or not self.there:
            return
        pk = data.draw(st.sampled_from(sorted(self.there)))

        async def work() -> None:
            query = self.cls.find(self.cls.id == pk).using(self.tx())
            chosen = set(KEYS)
            if keys and self.cls is MachinePlain:
                chosen = keys
                query = query.select(*keys)
            row = (await query.to_list())[0]
            base = {k: v for k, v in self.there[pk].items() if k in chosen}
            self.known.append(Known(row, pk, base, dict(self.server[pk])))

        self.run(work())

    @rule(
        data=st.data(),
        how=st.sampled_from(
            [copy.deepcopy, lambda r: pickle.loads(pickle.dumps(r)), lambda r: r.model_copy(deep=True)]
        ),
    )
    def copies(self, data: Any, how: Any) -> None:
        one = self.pick(data)
        if len(self.known) > 6:
            return
        row = how(one.row)
        made = Known(row, one.pk, None if one.base is None else dict(one.base), dict(one.server))
        made.loaded, made.mine, made.by_user = set(one.loaded), dict(one.mine), set(one.by_user)
        assert {k: frozen(getattr(row, k)) for k in one.loaded} == one.mine
        self.known.append(made)

    # ---------------------------------------------------------------------------------------------------- transactions
    @precondition(lambda self: len(self.transactions) < 2)
    @rule()
    def begins(self) -> None:
        before = (copy.deepcopy(self.there), copy.deepcopy(self.server), [(k, k.snapshot()) for k in self.known])

        async def work() -> Any:
            return await self.tx().savepoint() if self.transactions else await begin_transaction()

        made = self.run(work())
        self.transactions.append((made if not self.transactions else self.tx(), (made, before)))

    @precondition(lambda self: self.transactions)
    @rule(commit=st.booleans())
    def ends(self, commit: bool) -> None:
        self.leave(commit)

    def leave(self, commit: bool) -> None:
        tx, (made, (there, server, known)) = self.transactions.pop()

        async def work() -> None:
            if made is not tx:
                await (tx.release(made) if commit else tx.rollback_to(made))
            else:
                await (tx.commit() if commit else tx.rollback())
            if commit:
                return
            self.there, self.server = there, server
            # What was loaded, copied or inserted inside knows of rows that never were.
            self.known = [k for k, _ in known]
            for one, (pk, base, of_server, is_gone, _) in known:
                one.pk, one.base, one.server, one.is_gone = pk, base, of_server, is_gone
                now = {k: frozen(one.row.__dict__[k]) for k in KEYS if k in one.row.__dict__}
                for k in one.by_user:
                    assert now[k] == one.mine[k], f"{k} was set by the user"
                one.mine, one.loaded = now, set(now)
            await self.check()

        self.run(work())

    # ------------------------------------------------------------------------------------------------------ what holds
    @invariant()
    def instances_know_what_they_differ_in(self) -> None:
        for one in getattr(self, "known", ()):
            if one.is_gone:
                continue
            assert {k: frozen(getattr(one.row, k)) for k in one.loaded} == one.mine
            assert set(one.row.__dict__) & set(KEYS) == one.loaded
            if one.base is None:
                continue
            expected = one.changes()
            found = one.row.get_changes()
            assert {k: frozen(v) for k, v in found.items()} == expected
            before = {k: frozen(v) for k, v in one.row.get_previous_changes().items()}
            assert before == {k: one.base[k] for k in expected if k in one.base}
            assert one.row.is_changed is bool(expected)
            for k, v in one.server.items():
                if k in one.row.__dict__ and one.pk in self.there:
                    assert one.row.__dict__[k] == v, k


@pytest.mark.parametrize("cls", CLASSES, ids=lambda c: c.__name__)
def test_tracking(postgres_dsn: str, cls: Any) -> None:
    with asyncio.Runner() as runner:

        async def start() -> None:
            await init(postgres_dsn)
            await drop_all(cls, MachineParent)
            await create_all(MachineParent, cls)
            Tracking.parents = {p.id: p for p in await MachineParent.insert_many([MachineParent() for _ in range(3)])}

        async def stop() -> None:
            await drop_all(cls, MachineParent)
            await close()

        runner.run(start())
        Tracking.runner, Tracking.cls = runner, cls
        try:
            run_state_machine_as_test(
                Tracking,
                settings=settings(
                    max_examples=EXAMPLES,
                    stateful_step_count=25,
                    deadline=None,
                    database=None,
                    derandomize=EXAMPLES < 100,
                    suppress_health_check=[*HealthCheck],
                    phases=[Phase.generate],  # a test must not take minutes to make a failure small
                ),
            )
        finally:
            runner.run(stop())
