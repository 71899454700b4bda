"""Seed, "ColumnProxy (Query Expression Builder)": each expression, the SQL beside it, and the rows it finds."""

from data_bridge.postgres import Column, Table, create_all


class User(Table):
    class Settings:
        name = "users"

    id: int = Column(primary_key=True, auto_increment=True)
    email: str
    name: str
    age: int = Column(nullable=True)


SQL = ['SELECT "users"."id" FROM "users" WHERE "users"."age" = $1 ORDER BY "users"."id"']


async def main() -> None:
    await create_all(User)
    await User.insert_many(
        [
            User(email="a@example.com", name="Alice", age=25),
            User(email="b@EXAMPLE.com", name="Bob Smith", age=30),
            User(email="c@spam.com", name="Al middle", age=70),
            User(email="d@spam.com", name="Dora", age=None),
            User(email="e_x@example.com", name="100%", age=15),
        ]
    )
    cases = [
        # Comparison operators
        (User.age == 25, '"users"."age" = $1', [1]),
        (User.age != 25, '"users"."age" <> $1', [2, 3, 5]),
        (User.age > 25, '"users"."age" > $1', [2, 3]),
        (User.age >= 25, '"users"."age" >= $1', [1, 2, 3]),
        (User.age < 25, '"users"."age" < $1', [5]),
        (User.age <= 25, '"users"."age" <= $1', [1, 5]),
        # String operators
        (User.email.like("%@example.com"), '"users"."email" LIKE $1', [1, 5]),
        (User.email.ilike("%@EXAMPLE.COM"), '"users"."email" ILIKE $1', [1, 2, 5]),
        (User.name.startswith("Alice"), '"users"."name" LIKE $1', [1]),
        (User.name.endswith("Smith"), '"users"."name" LIKE $1', [2]),
        (User.name.contains("middle"), '"users"."name" LIKE $1', [3]),
        (User.name.contains("%"), '"users"."name" LIKE $1', [5]),
        (User.email.startswith("e_"), '"users"."email" LIKE $1', [5]),
        # Collection operators
        (User.age.in_([25, 30, 35]), '"users"."age" = ANY($1)', [1, 2]),
        (User.age.in_([]), '"users"."age" = ANY($1)', []),
        (User.age.between(25, 35), '"users"."age" BETWEEN $1 AND $2', [1, 2]),
        (User.age.is_null(), '"users"."age" IS NULL', [4]),
        (User.age.is_not_null(), '"users"."age" IS NOT NULL', [1, 2, 3, 5]),
        # Logical operators
        ((User.age > 25) & (User.name == "Bob Smith"), '"users"."age" > $1 AND "users"."name" = $2', [2]),
        ((User.age < 18) | (User.age > 65), '"users"."age" < $1 OR "users"."age" > $2', [3, 5]),
        (~(User.email.like("%@spam.com")), 'NOT "users"."email" LIKE $1', [1, 2, 5]),
    ]
    for expression, sql, ids in cases:
        query = User.find(expression).order_by(User.id)
        assert query.sql().sql.partition(" WHERE ")[2].partition(" ORDER BY ")[0] in (
            sql,
            sql.replace("NOT ", "NOT ", 1),
        ), query.sql().sql
        assert [u.id for u in await query] == ids, sql
    assert await User.find(User.age == 25).order_by(User.id).scalars(User.id) == [1]
