import asyncio

from data_bridge.postgres import Col, Column, Table, close, create_all, init, pg_transaction


class User(Table):
    id: Col[int] = Column(primary_key=True, auto_increment=True)
    name: Col[str] = Column(unique=True)
    age: Col[int]


async def main() -> None:
    await init("embedded:")  # a throwaway PostgreSQL; or postgresql://user:password@host/database
    await create_all(User)
    async with pg_transaction():
        ann = await User(name="Ann", age=31).save()
        await User(name="Bob", age=17).save()
    ann.age += 1
    await ann.save()  # UPDATE of one column
    for user in await User.find(User.age >= 18).order_by(-User.age).limit(10):
        print(user.id, user.name, user.age)
    await close()


asyncio.run(main())
