"""Whose rows: every shape of statement on the pinned SQLAlchemy, with two tenants whose rows even point at each other."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import (
    Column,
    Engine,
    ForeignKey,
    String,
    Table,
    create_engine,
    delete,
    exists,
    func,
    insert,
    select,
    text,
    union,
    union_all,
    update,
)
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    aliased,
    joinedload,
    mapped_column,
    relationship,
    selectinload,
    subqueryload,
)

from app.core import tenancy
from app.core.tenancy import CustomerOwned, ScopeError, TenantOwned


class Base(DeclarativeBase):
    """A registry of its own, so that these tables are no part of the product."""


class Room(Base):
    __tablename__ = "tenants"
    id: Mapped[str] = mapped_column(String(36), primary_key=True)


class Buyer(Base):
    __tablename__ = "website_customers"
    id: Mapped[str] = mapped_column(String(36), primary_key=True)


_fans = Table("fans", Base.metadata, Column("u", ForeignKey("u.id")), Column("c", ForeignKey("c.id")))


class User(Base, TenantOwned):
    __tablename__ = "u"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    clients: Mapped[list[Client]] = relationship(back_populates="owner")
    likes: Mapped[list[Client]] = relationship(secondary=_fans)


class Client(Base, TenantOwned):
    __tablename__ = "c"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("u.id"))
    owner: Mapped[User | None] = relationship(back_populates="clients")


class Bill(Base, CustomerOwned):
    __tablename__ = "b"
    id: Mapped[int] = mapped_column(primary_key=True)


class Note(Base):
    """Nobody's row."""

    __tablename__ = "n"
    id: Mapped[str] = mapped_column(String(36), primary_key=True)


User.registry.configure()
Other, OtherUser, Core, CoreUser = aliased(Client), aliased(User), Client.__table__, User.__table__


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """Clients 1 and 3 are a's, 2 and 4 are b's; 3 and 4 are owned by, and 1 and 2 are liked by, the wrong house's user."""
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        tenancy.enter(tenancy.everyone("a test writes"), session)
        session.add_all([Room(id="a"), Room(id="b"), Buyer(id="x")])
        session.flush()
        session.add_all([User(id=1, tenant_id="a", name="ua"), User(id=2, tenant_id="b", name="ub")])
        session.flush()
        owners = [(1, "a", "ca", 1), (2, "b", "cb", 2), (3, "a", "astray", 2), (4, "b", "bstray", 1)]
        session.add_all([Client(id=id, tenant_id=room, name=name, owner_id=u) for id, room, name, u in owners])
        session.flush()
        session.execute(insert(_fans), [{"u": 1, "c": 1}, {"u": 1, "c": 2}])
        session.add(Bill(id=1, customer_id="x"))
        session.commit()
    yield engine
    engine.dispose()


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    """A session in the scope of tenant a."""
    with Session(engine) as session:
        tenancy.enter(tenancy.tenant("a"), session)
        yield session
        session.rollback()


def ids(rows: Any) -> list[Any]:
    return sorted(row.id for row in rows)


def owned(rows: Any) -> list[Any]:
    return [(user.id, ids(user.clients)) for user in rows]


READS: dict[str, tuple[Callable[[Session], Any], Any]] = {
    "entities": (lambda s: ids(s.scalars(select(Client))), [1, 3]),
    "columns": (lambda s: sorted(s.scalars(select(Client.id))), [1, 3]),
    "get": (lambda s: (s.get(Client, 2), s.get(Client, 1).name), (None, "ca")),
    "count": (lambda s: s.scalar(select(func.count(Client.id))), 2),
    "count from": (lambda s: s.scalar(select(func.count()).select_from(Client)), 2),
    "count of a subquery": (
        lambda s: s.scalar(select(func.count()).select_from(select(Client.id).limit(9).subquery())),
        2,
    ),
    "scalar subquery": (lambda s: s.scalar(select(select(func.count(Client.id)).scalar_subquery())), 2),
    "window": (lambda s: sorted(s.execute(select(Client.id, func.count().over())).all()), [(1, 2), (3, 2)]),
    "alias": (lambda s: ids(s.scalars(select(Other))), [1, 3]),
    "column of an alias": (lambda s: sorted(s.scalars(select(Other.id))), [1, 3]),
    "entity of a subquery": (lambda s: ids(s.scalars(select(aliased(Client, select(Client).subquery())))), [1, 3]),
    "self-join": (lambda s: s.execute(select(Client.id, Other.id).join(Other, Other.id == Client.id + 1)).all(), []),
    "common table": (lambda s: sorted(s.scalars(select(select(Client.id).cte().c.id))), [1, 3]),
    "exists": (lambda s: s.scalar(select(exists().where(Client.id == 2))), False),
    "exists of a select": (lambda s: s.scalar(select(select(Client.id).where(Client.id == 2).exists())), False),
    "exists in where": (
        lambda s: s.scalars(
            select(User.id).where(exists().where(Client.owner_id == User.id, Client.name == "bstray"))
        ).all(),
        [],
    ),
    "in": (
        lambda s: s.scalars(
            select(User.id).where(User.id.in_(select(Client.owner_id).where(Client.name == "bstray")))
        ).all(),
        [],
    ),
    "any": (lambda s: s.scalars(select(User.id).where(User.clients.any(Client.name == "bstray"))).all(), []),
    "has": (lambda s: s.scalars(select(Client.id).where(Client.owner.has(User.name == "ub"))).all(), []),
    "any over many-to-many": (
        lambda s: s.scalars(select(User.id).where(User.likes.any(Client.name == "cb"))).all(),
        [],
    ),
    "join by relationship": (lambda s: s.execute(select(Client.id, User.name).join(Client.owner)).all(), [(1, "ua")]),
    "join with ON": (
        lambda s: s.execute(select(Client.id, User.name).join(User, User.id == Client.owner_id)).all(),
        [(1, "ua")],
    ),
    "outer join with ON": (
        lambda s: sorted(s.execute(select(Client.id, User.name).outerjoin(User, User.id == Client.owner_id)).all()),
        [(1, "ua"), (3, None)],
    ),
    "outer join to a subquery": (
        lambda s: sorted(
            s.execute(
                select(Client.id, (sub := select(User.id, User.name).subquery()).c.name).outerjoin(
                    sub, sub.c.id == Client.owner_id
                )
            ).all()
        ),
        [(1, "ua"), (3, None)],
    ),
    "join that is only filtered by": (
        lambda s: s.scalars(select(Client.id).join(User, User.id == Client.owner_id).where(User.name == "ub")).all(),
        [],
    ),
    "join to an alias": (
        lambda s: s.execute(select(Client.id).join(OtherUser, OtherUser.id == Client.owner_id)).all(),
        [(1,)],
    ),
    "many-to-many join": (lambda s: s.execute(select(User.id, Client.id).join(User.likes)).all(), [(1, 1)]),
    "join in where": (
        lambda s: s.scalars(select(Client.id).where(Client.owner_id == User.id, User.name == "ub")).all(),
        [],
    ),
    "union": (lambda s: sorted(s.scalars(union_all(select(Client.id), select(User.id)))), [1, 1, 3]),
    "entities of a union": (
        lambda s: ids(s.scalars(select(Client).from_statement(union(select(Client), select(Client))))),
        [1, 3],
    ),
    "correlated": (
        lambda s: s.execute(
            select(User.id, select(func.count()).where(Client.owner_id == User.id).scalar_subquery())
        ).all(),
        [(1, 1)],
    ),
    "order by a subquery": (
        lambda s: sorted(s.scalars(select(Client.id).order_by(select(func.max(User.id)).scalar_subquery()))),
        [1, 3],
    ),
    "lazy": (lambda s: owned(s.scalars(select(User))), [(1, [1])]),
    "lazy many-to-one": (
        lambda s: sorted((c.id, c.owner and c.owner.id) for c in s.scalars(select(Client))),
        [(1, 1), (3, None)],
    ),
    "lazy many-to-many": (lambda s: [ids(u.likes) for u in s.scalars(select(User))], [[1]]),
    "joined": (lambda s: owned(s.scalars(select(User).options(joinedload(User.clients))).unique()), [(1, [1])]),
    "joined many-to-one": (
        lambda s: sorted(
            (c.id, c.owner and c.owner.id) for c in s.scalars(select(Client).options(joinedload(Client.owner)))
        ),
        [(1, 1), (3, None)],
    ),
    "selectin": (lambda s: owned(s.scalars(select(User).options(selectinload(User.clients)))), [(1, [1])]),
    "subquery load": (lambda s: owned(s.scalars(select(User).options(subqueryload(User.clients)))), [(1, [1])]),
    "query": (lambda s: (ids(s.query(Client).all()), s.query(Client).count()), ([1, 3], 2)),
    "bulk update": (lambda s: s.execute(update(Client).values(name="z")).rowcount, 2),
    "update by subquery": (
        lambda s: (
            s.execute(
                update(User).where(exists().where(Client.owner_id == User.id, Client.name == "bstray")).values(name="q")
            ).rowcount
        ),
        0,
    ),
    "update from a subquery": (
        lambda s: s.scalars(
            update(User).values(name=select(func.min(Client.name)).scalar_subquery()).returning(User.name)
        ).all(),
        ["astray"],
    ),
    "bulk delete": (lambda s: s.execute(delete(Client)).rowcount, 2),
    "insert from select": (lambda s: s.execute(insert(Note).from_select(["id"], select(Client.name))).rowcount, 2),
}


@pytest.mark.parametrize("shape", READS)
def test_a_statement_of_any_shape_reaches_the_tenants_own_rows_alone(session: Session, shape: str) -> None:
    ask, expected = READS[shape]

    assert ask(session) == expected


CORE: dict[str, Callable[[], Any]] = {
    "columns": lambda: select(Core.c.id),
    "table": lambda: select(Core),
    "count": lambda: select(func.count()).select_from(Core),
    "alias": lambda: select(Core.alias().c.id),
    "scalar subquery beside a model": lambda: select(Client.id, select(func.count(CoreUser.c.id)).scalar_subquery()),
    "exists beside a model": lambda: select(Client.id).where(exists().where(CoreUser.c.name == "ub")),
    "join beside a model": lambda: select(Client.id).join(CoreUser, CoreUser.c.id == Client.owner_id),
    "alias beside its own model": lambda: select(Client.id).where(Core.alias().c.name == "cb"),
    "union": lambda: union_all(select(Client.id), select(Core.c.id)),
    "update": lambda: update(Core).values(name="x"),
    "delete": lambda: delete(Core),
    "insert": lambda: insert(Core).values(id=9, name="x", tenant_id="b"),
    "text": lambda: text("SELECT id FROM c"),
    "entities from text": lambda: select(Client).from_statement(text("SELECT * FROM c")),
    "condition in text": lambda: select(Client.id).where(text("1=1 OR 1=1")),
}


@pytest.mark.parametrize("shape", CORE)
def test_what_no_criterion_reaches_is_refused(session: Session, shape: str) -> None:
    with pytest.raises(ScopeError):
        session.execute(CORE[shape]())


def test_the_same_is_allowed_under_everyone(engine: Engine) -> None:
    with Session(engine) as session:
        tenancy.enter(tenancy.everyone("a test looks"), session)

        assert len(session.execute(select(Core.c.id)).all()) == 4


@pytest.mark.parametrize(
    "statement", [select(Client), select(func.count(Client.id)), update(Client).values(name="x"), select(Core.c.id)]
)
def test_without_a_scope_nothing_is_given(engine: Engine, statement: Any) -> None:
    with Session(engine) as session, pytest.raises(ScopeError, match="no scope"):
        session.execute(statement)


def test_without_a_scope_what_is_nobodys_may_be_read(engine: Engine) -> None:
    with Session(engine) as session:
        assert session.scalars(select(Note)).all() == []


def test_a_tenant_does_not_reach_a_buyers_rows_nor_the_other_way_round(engine: Engine) -> None:
    with Session(engine) as session, pytest.raises(ScopeError, match="does not reach"):
        tenancy.enter(tenancy.tenant("a"), session)
        session.scalars(select(Bill)).all()
    with Session(engine) as session, pytest.raises(ScopeError, match="does not reach"):
        tenancy.enter(tenancy.customer("x"), session)
        session.scalars(select(Client)).all()
    with Session(engine) as session:
        tenancy.enter(tenancy.customer("x"), session)
        assert ids(session.scalars(select(Bill))) == [1]


def test_a_new_row_is_stamped_and_a_foreign_one_refused(session: Session) -> None:
    mine = Client(id=50, name="new")
    session.add(mine)
    session.flush()
    assert mine.tenant_id == "a"

    session.add(Client(id=51, name="theirs", tenant_id="b"))
    with pytest.raises(ScopeError, match="belongs to another"):
        session.flush()


def test_a_row_can_not_be_given_away(session: Session) -> None:
    session.get_one(Client, 1).tenant_id = "b"

    with pytest.raises(ScopeError, match="belongs to another"):
        session.flush()


def test_a_foreign_row_smuggled_in_can_not_be_written(session: Session, engine: Engine) -> None:
    with Session(engine) as other:
        tenancy.enter(tenancy.tenant("b"), other)
        stray = other.get_one(Client, 2)
        other.expunge(stray)
    session.add(stray)
    stray.name = "hacked"

    with pytest.raises(ScopeError, match="belongs to another"):
        session.flush()


def test_rows_inserted_by_statement_are_stamped_and_foreign_ones_refused(session: Session) -> None:
    session.execute(insert(Client), [{"id": 60, "name": "x"}, {"id": 61, "name": "y", "tenant_id": "a"}])
    assert session.scalar(select(func.count(Client.id)).where(Client.id.in_([60, 61]))) == 2

    for refused in (
        lambda: session.execute(insert(Client), [{"id": 62, "name": "x", "tenant_id": "b"}]),
        lambda: session.execute(insert(Client).values(id=63, name="x", tenant_id="b")),
        lambda: session.execute(
            insert(Client).from_select(["id", "name", "tenant_id"], select(User.id + 90, User.name, User.tenant_id))
        ),
    ):
        with pytest.raises(ScopeError):
            refused()


def test_an_update_may_not_change_the_owner_nor_go_by_a_list_of_keys(session: Session) -> None:
    with pytest.raises(ScopeError, match="not to be changed"):
        session.execute(update(Client).values(tenant_id="b"))
    with pytest.raises(ScopeError, match="list of keys"):
        session.execute(update(Client), [{"id": 2, "name": "hacked"}])


def test_the_scope_can_not_change_once_rows_are_there(session: Session) -> None:
    kept = session.get(Client, 1)
    assert kept is not None

    with pytest.raises(ScopeError, match="can not become"):
        tenancy.enter(tenancy.tenant("b"), session)

    tenancy.leave(session)
    tenancy.enter(tenancy.tenant("b"), session)
    assert session.get(Client, 1) is None


def test_a_thousand_changes_of_tenant_in_one_process_leak_nothing(engine: Engine) -> None:
    """SQLAlchemy keeps the criterion's lambda; a stale value in it would serve the tenant before."""
    for turn in range(1000):
        room, own = ("a", [1, 3]) if turn % 2 else ("b", [2, 4])
        with Session(engine) as session:
            tenancy.enter(tenancy.tenant(room), session)
            assert ids(session.scalars(select(Client))) == own
            [user] = session.scalars(select(User))
            assert ids(user.clients) == own[:1]
            session.expire(user, ["likes"])
            assert ids(user.likes) in ([1], [])


def test_the_ways_around_the_session_are_not_used(project_root: Any) -> None:
    """bulk_save_objects and its kin tell no event of what they write."""
    found = subprocess.run(
        ["grep", "-rnE", r"bulk_(save_objects|insert_mappings|update_mappings)", "--include=*.py", "app", "jobs"],
        cwd=project_root, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert found.stdout == ""
