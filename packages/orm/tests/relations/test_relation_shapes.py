"""Relations in every shape: forward, circular, composite, through models, of a class with itself, inherited, in other schemas."""

from typing import Any, Optional
from uuid import UUID

import pytest

from data_bridge.postgres import (
    BackLink,
    Col,
    Column,
    ConfigurationError,
    IdMixin,
    Link,
    ManyToMany,
    Table,
    UUIDMixin,
    create_all,
    drop_all,
    execute,
    types,
)


class Before(IdMixin):
    later: Link["Later"]
    maybe: Link[Optional["Later"]] = Column(default=None)
    text: Link["Later | None"] = Column(default=None)


class Later(UUIDMixin):
    befores: BackLink[list["Before"]] = BackLink("later")
    of_maybe: BackLink["list[Before]"] = BackLink("maybe")


async def test_classes_that_come_later(db: Any) -> None:
    assert '"later_id" uuid NOT NULL' in Before.ddl() and '"maybe_id" uuid,' in Before.ddl()
    await create_all(Before, Later)
    later = await Later().save()
    row = await Before(later=later).save()
    assert row.later_id == later.id and isinstance(row.later_id, UUID) and row.maybe is None  # type: ignore[attr-defined]
    found = await Later.get(later.id, fetch_links=True)
    assert [b.id for b in found.befores] == [row.id] and found.of_maybe == []
    assert len(await Before.find(Before.later == later)) == 1


class Left(IdMixin):
    right: Link["Right | None"] = Column(default=None)


class Right(IdMixin):
    left: Link[Left]


async def test_circles(db: Any) -> None:
    await create_all(Left, Right)
    left = await Left().save()
    left.right = await Right(left=left).save()
    await left.save()
    found = await Left.find().fetch_links("right.left")
    assert found[0].right is not None and found[0].right.left.id == left.id
    await drop_all(Left, Right)


class Order_(Table):
    class Settings:
        name = "orders"

    id: Col[int] = Column(primary_key=True)


class Line(Table):
    order: Link[Order_] = Column(primary_key=True, on_delete="CASCADE")
    number: Col[int] = Column(primary_key=True, type=types.SmallInt)
    item: Col[str] = Column(default="")
    shipments: BackLink[list["Shipment"]] = BackLink("line")


class Shipment(IdMixin):
    line: Link[Line] = Column(on_delete="CASCADE")
    parcel: Col[str]


class Named(IdMixin):
    my_order: Col[int]
    my_line: Col[int]
    line: Link[Line] = Column(fields=("my_order", "my_line"), on_delete="CASCADE")


async def test_keys_of_several_columns(db: Any, sent: Any) -> None:
    assert (
        'FOREIGN KEY ("line_order_id", "line_number") REFERENCES "line" ("order_id", "number") ON DELETE CASCADE'
        in Shipment.ddl()
    )
    assert '"line_number" smallint NOT NULL' in Shipment.ddl() and '("line_order_id", "line_number")' in Shipment.ddl()
    assert 'FOREIGN KEY ("my_order", "my_line") REFERENCES "line"' in Named.ddl()
    await create_all(Order_, Line, Shipment, Named)
    order = await Order_(id=7).save()
    one, two = await Line.insert_many([Line(order=order, number=n, item=f"i{n}") for n in (1, 2)])
    await Shipment.insert_many([Shipment(line=line, parcel=p) for line in (one, two) for p in "ab"])
    rows = await Shipment.find().order_by(Shipment.id)
    with sent(r'\("line"."order_id", "line"."number"\) IN \(SELECT'):
        assert (await rows[0].line).item == "i1"
    assert rows[0].line.pk == (7, 1)
    assert await Shipment.find(Shipment.line.item == "i2").count() == 2
    assert await Shipment.find(line=one).count() == 2 and await Shipment.find(line=(7, 2)).count() == 2
    with sent(r'FROM "line"', r'FROM "shipment" WHERE .* IN \(SELECT'):
        lines = await Line.find().order_by(Line.number).fetch_links(Line.shipments)
    assert [[s.parcel for s in line.shipments] for line in lines] == [["a", "b"]] * 2
    lines = await Line.find().order_by(Line.number).fetch_links(Line.shipments.order_by(-Shipment.parcel).limit(1))
    assert [[s.parcel for s in line.shipments] for line in lines] == [["b"]] * 2
    assert await Line.find(Line.shipments.any(Shipment.parcel == "a")).count() == 2
    await Named(my_order=7, my_line=2, line=two).save()
    named = await Named.find().fetch_links(Named.line.order)
    assert named[0].line.order.id == 7
    await order.delete()
    assert await Shipment.find().count() == 0


class Student(IdMixin):
    name: Col[str]
    courses: ManyToMany["Course"] = ManyToMany(through="Enrolment")
    enrolments: BackLink[list["Enrolment"]] = BackLink("student")


class Course(IdMixin):
    title: Col[str]
    students: ManyToMany[Student] = ManyToMany(through="Enrolment")


class Enrolment(IdMixin):
    student: Link[Student] = Column(on_delete="CASCADE")
    course: Link[Course] = Column(on_delete="CASCADE")
    grade: Col[int | None] = Column(default=None)

    class Settings:
        indexes = [{"fields": ["student_id", "course_id"], "unique": True}]


async def test_a_model_in_between(db: Any) -> None:
    await create_all(Student, Course, Enrolment)
    ann = await Student(name="Ann").save()
    maths, art = await Course.insert_many([Course(title="Maths"), Course(title="Art")])
    assert await ann.courses.add(maths, grade=1) == 1 and await ann.courses.add(maths, art) == 1
    assert await ann.courses.find(Course.title == "Art").count() == 1
    assert [e.grade for e in (await ann.fetch("enrolments.course")).enrolments if e.course.title == "Maths"] == [1]
    assert [s.name for s in await maths.students.find()] == ["Ann"]
    assert await Student.find(Student.courses.any(Course.title == "Art")).count() == 1
    assert await Student.find(Student.enrolments.any(Enrolment.grade == 1)).count() == 1
    await ann.courses.set([art])
    assert [c.title for c in await ann.courses.find()] == ["Art"]


class Friend(IdMixin):
    name: Col[str]
    friends: ManyToMany["Friend"] = ManyToMany(through="friendship")
    parent: Link["Friend | None"] = Column(default=None, on_delete="CASCADE")
    children: BackLink[list["Friend"]] = BackLink("parent")


async def test_a_class_with_itself(db: Any) -> None:
    await create_all(Friend)
    a, b, c = await Friend.insert_many([Friend(name=n) for n in "abc"])
    await a.friends.add(b, c)
    b.parent = a
    await b.save()
    rows = await Friend.find().order_by(Friend.id).fetch_links(Friend.friends.friends, Friend.children, Friend.parent)
    assert [sorted(f.name for f in r.friends) for r in rows] == [["b", "c"], [], []]
    assert rows[0].children[0].name == "b" and rows[1].parent is not None and rows[1].parent.name == "a"
    assert [f.name for f in await Friend.find(Friend.friends.any(Friend.name == "c"))] == ["a"]
    assert [f.name for f in await Friend.find(Friend.friends.count() == 2)] == ["a"]
    assert [f.name for f in await Friend.find(Friend.children.any(Friend.name == "b"), Friend.friends.any())] == ["a"]
    assert [f.name for f in await Friend.find(Friend.parent.friends.any(Friend.name == "c"))] == ["b"]


class Authored(IdMixin):
    class Settings:
        abstract = True

    owner: Link[Student | None] = Column(default=None)


class Note(Authored):
    class Settings:
        schema = "notes"

    text: Col[str] = Column(default="")


class Picture(Authored):
    pass


async def test_relations_are_inherited_and_know_schemas(db: Any) -> None:
    await execute("CREATE SCHEMA notes")
    await create_all(Student, Note, Picture)
    ann = await Student(name="Ann").save()
    await Note(owner=ann).save()
    await Picture(owner=ann).save()
    (note,) = await Note.find(Note.owner.name == "Ann").fetch_links(Note.owner)
    (picture,) = await Picture.find(Picture.owner.name == "Ann").fetch_links(Picture.owner)
    assert note.owner is not None and picture.owner is not None and note.owner.name == picture.owner.name == "Ann"


class ByEmail(IdMixin):
    email: Col[str] = Column(unique=True)


class Mail(IdMixin):
    to: Link[ByEmail] = Column(foreign_key=ByEmail.email, on_update="CASCADE")


async def test_a_link_to_another_column_than_the_key(db: Any) -> None:
    assert '"to_id" text NOT NULL' in Mail.ddl() and 'REFERENCES "by_email" ("email") ON UPDATE CASCADE' in Mail.ddl()
    await create_all(ByEmail, Mail)
    ann = await ByEmail(email="a@x").save()
    mail = await Mail(to=ann).save()
    assert mail.to.pk == "a@x" and (await (await Mail.get(mail.id)).to).id == ann.id
    assert (await Mail.find().fetch_links(Mail.to))[0].to.id == ann.id


def test_errors_name_the_relation() -> None:
    class Lonely(IdMixin):
        other: Link["Nowhere"]  # type: ignore[name-defined]  # noqa: F821
        others: BackLink[list["Lonely"]] = BackLink("no_link")

    with pytest.raises(ConfigurationError, match=r"Lonely\.other points to 'Nowhere'"):
        Lonely.ddl()
    with pytest.raises(ConfigurationError, match="needs its table: = ManyToMany"):

        class Bad(IdMixin):
            many: ManyToMany[Student]

    class Wrong(IdMixin):
        others: BackLink[list["Wrong"]] = BackLink("no_link")

    with pytest.raises(ConfigurationError, match=r"Wrong\.others = BackLink\('no_link'\): Wrong has no such Link"):
        Wrong.find(Wrong.others.any())
    with pytest.raises(ConfigurationError, match="'save' is a method of Table"):

        class Clash(IdMixin):
            save: Link[Student]  # type: ignore[assignment]
