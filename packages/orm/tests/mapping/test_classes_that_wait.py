"""Classes with links to names that are defined later, by every door that meets them first."""

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from data_bridge.postgres import ConfigurationError, create_all, drop_all, fetch_val
from data_bridge.testing.databases.template_builder import imported_models

BASE = """
from __future__ import annotations
from data_bridge.postgres import *

class Base(Table):
    id: Col[int] = Column(primary_key=True)
    class Settings:
        name = "wait_base"
"""
MODELS = """
from __future__ import annotations
from data_bridge.postgres import *

class Post(Table):
    id: Col[int] = Column(primary_key=True)
    title: Col[str] = Column(default="t")
    author: Link[Author]
    class Settings:
        name = "wait_post"

class Author(Table):
    id: Col[str] = Column(primary_key=True)
    posts: BackLink[list[Post]] = BackLink("author")
    class Settings:
        name = "wait_author"
"""
OTHERS = MODELS.replace('name = "wait_', 'name = "other_').replace(
    "Col[str] = Column(primary", "Col[int] = Column(primary"
)


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Imports modules of these texts; the classes are gone afterwards."""
    monkeypatch.syspath_prepend(str(tmp_path))
    made: list[str] = []

    def imported(text: str) -> Any:
        name = f"waiting_models_{tmp_path.name.rpartition('-')[2]}_{len(made)}"
        made.append(name)
        (tmp_path / f"{name}.py").write_text(text)
        importlib.invalidate_caches()
        return importlib.import_module(name)

    yield imported
    for name in made:
        sys.modules.pop(name, None)
    gc.collect()


DOORS: dict[str, Callable[[Any], Any]] = {
    "find": lambda m: m.Post.find(),
    "a column": lambda m: m.Post.title,
    "a column by name": lambda m: m.col(m.Post, "title"),
    "the column of the link": lambda m: m.Post.author_id,
    "an instance": lambda m: m.Post(id=1, author="x"),
    "c": lambda m: m.Post.c.title,
    "an alias": lambda m: m.aliased(m.Post, "p").title,
    "ddl": lambda m: m.Post.ddl(),
    "tuples": lambda m: m.Author.find().tuples(m.Post),
    "a relation": lambda m: m.Author.posts,
    "its definition": lambda m: m.Post.__table_def__,
    "its source": lambda m: m.Post.__table_source__,
    "the definitions": lambda m: m.Post.__table_defs__(),
    "using": lambda m: m.Post.using("default").find(),
    "the models that are there": lambda m: imported_models(),
}


@pytest.mark.parametrize("door", DOORS)
def test_every_door_completes_a_class(module: Callable[..., Any], door: str) -> None:
    models = module(MODELS)
    DOORS[door](models)
    text = models.Post.ddl()
    assert 'CREATE TABLE "wait_post"' in text
    assert '"author_id" text NOT NULL' in text


@pytest.mark.parametrize("order", ["others first", "others last"])
def test_a_name_means_the_class_of_its_module(module: Callable[..., Any], order: str) -> None:
    """A class of the same name in a module that was imported before is another class."""
    texts = [OTHERS, MODELS] if order == "others first" else [MODELS, OTHERS]
    modules = {text: module(text) for text in texts}
    models, others = modules[MODELS], modules[OTHERS]
    assert models.Post.__db__ is None or models.Post.author.target.cls is models.Author
    assert 'REFERENCES "wait_author" ("id")' in models.Post.ddl()
    assert 'REFERENCES "other_author" ("id")' in others.Post.ddl()
    assert '"author_id" bigint NOT NULL' in others.Post.ddl()


def test_a_class_of_another_module_is_found_at_last(module: Callable[..., Any]) -> None:
    posts = module(MODELS.partition("class Author")[0].replace("Link[Author]", "Link[WaitWriter]"))
    authors = module(
        "from data_bridge.postgres import *\nclass WaitWriter(Table):\n    id: Col[str] = Column(primary_key=True)\n"
        "    posts: BackLink[list['Post']] = BackLink('author')\n    class Settings:\n        name = 'wait_author'\n"
    )
    assert 'REFERENCES "wait_author" ("id")' in posts.Post.ddl()
    assert authors.WaitWriter.posts is not None


async def test_create_all_makes_what_nobody_has_used(module: Callable[..., Any], db: Any) -> None:
    models = module(MODELS)
    await create_all(models.Author, models.Post)
    assert await fetch_val("SELECT to_regclass('wait_post') IS NOT NULL")
    await drop_all(models.Author, models.Post)
    again = module(MODELS)
    assert again.Post.__db__ is None
    assert {"wait_post", "wait_author"} <= {m.__table_def__.name for m in imported_models()}


def test_a_subclass_that_waits_does_not_show_the_table_of_its_base(module: Callable[..., Any]) -> None:
    models = module(
        BASE + "class Sub(Base):\n    class Settings:\n        name = 'wait_sub'\n    author: Link[Author]\n"
        "class Author(Table):\n    id: Col[int] = Column(primary_key=True)\n"
    )
    assert models.Sub.__table_def__.name == "wait_sub"
    assert list(models.Sub.__table_source__.columns) == ["id", "author_id"]
    assert "wait_sub" in models.Base.find().join(models.Sub, models.Base.id == models.Sub.id).sql().sql


def test_keys_to_a_class_that_waits(module: Callable[..., Any]) -> None:
    models = module(
        MODELS
        + "class Note(Table):\n    id: Col[int] = Column(primary_key=True)\n    post: Col[int] = Column(foreign_key=Post)\n"
        "    two: Col[int]\n    class Settings:\n        name = 'wait_note'\n"
        "        constraints = [ForeignKey(['two'], Post, ['id'])]\n"
    )
    text = models.Note.ddl()
    assert text.count('REFERENCES "wait_post" ("id")') == 2


def test_a_name_that_nobody_defines_is_an_error(module: Callable[..., Any]) -> None:
    models = module(MODELS.partition("class Author")[0].replace("Link[Author]", "Link[Nobody]"))
    for door in (lambda: models.Post.ddl(), lambda: models.Post.find(), lambda: models.Post.__table_def__):
        with pytest.raises(ConfigurationError, match=r"Post\.author points to 'Nobody'"):
            door()


def test_a_name_of_several_classes_is_an_error_that_names_them(module: Callable[..., Any]) -> None:
    text = BASE.replace("Base", "WaitTwice").replace("wait_base", "{}")
    first, second = module(text.format("wait_twice_1")), module(text.format("wait_twice_2"))
    models = module(MODELS.partition("class Author")[0].replace("Link[Author]", "Link[WaitTwice]"))
    with pytest.raises(ConfigurationError, match="and 2 classes have that name") as caught:
        models.Post.ddl()
    assert first.__name__ in str(caught.value)
    assert second.__name__ in str(caught.value)
