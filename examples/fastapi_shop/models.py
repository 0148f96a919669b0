"""The shop's tables, in SQLAlchemy."""

from __future__ import annotations

import datetime
import enum

from sqlalchemy import (
    CheckConstraint,
    Column,
    Enum,
    ForeignKey,
    Index,
    String,
    Table,
    UniqueConstraint,
    event,
    func,
)
from sqlalchemy.ext.associationproxy import association_proxy
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, validates


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


class Base(DeclarativeBase):
    pass


class Stamped:
    created_at: Mapped[datetime.datetime] = mapped_column(default=now)


class Status(enum.Enum):
    open = "open"
    paid = "paid"
    sent = "sent"


product_tag = Table(
    "product_tag",
    Base.metadata,
    Column("product_id", ForeignKey("product.id", ondelete="CASCADE"), primary_key=True),
    Column("tag_id", ForeignKey("tag.id", ondelete="CASCADE"), primary_key=True),
)


class Customer(Stamped, Base):
    """Who buys."""

    __tablename__ = "customer"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True, doc="Where receipts go.")
    api_token: Mapped[str] = mapped_column(String(64), default="not-for-anybodys-eyes")
    invited_by_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id", ondelete="SET NULL"))

    invited_by: Mapped[Customer | None] = relationship(remote_side=[id], backref="invited")
    orders: Mapped[list[Order]] = relationship(back_populates="customer", cascade="all, delete-orphan")

    @validates("email")
    def check_email(self, key: str, value: str) -> str:
        if "@" not in value:
            raise ValueError("an email address has an @")
        return value


class Product(Base):
    __tablename__ = "product"
    __table_args__ = (
        CheckConstraint("price_cents >= 0", name="price_is_not_negative"),
        UniqueConstraint("name", "kind", name="one_name_a_kind"),
        Index("product_by_price", "price_cents"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    name: Mapped[str] = mapped_column(String(100))
    price_cents: Mapped[int] = mapped_column(server_default="0")

    tags: Mapped[list[Tag]] = relationship(secondary=product_tag, back_populates="products")
    tag_names = association_proxy("tags", "name")

    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "product"}

    @hybrid_property
    def price(self) -> float:
        return self.price_cents / 100


class Book(Product):
    __tablename__ = "book"

    id: Mapped[int] = mapped_column(ForeignKey("product.id", ondelete="CASCADE"), primary_key=True)
    isbn: Mapped[str] = mapped_column(String(13))

    __mapper_args__ = {"polymorphic_identity": "book"}


class Tag(Base):
    __tablename__ = "tag"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(30))
    products: Mapped[list[Product]] = relationship(secondary=product_tag, back_populates="tags")


class Order(Stamped, Base):
    __tablename__ = "order"

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id", ondelete="CASCADE"))
    status: Mapped[Status] = mapped_column(Enum(Status), default=Status.open)
    placed_at: Mapped[datetime.datetime] = mapped_column(server_default=func.now())
    shipped_with_id: Mapped[int | None] = mapped_column(ForeignKey("order.id"))

    customer: Mapped[Customer] = relationship(back_populates="orders")
    lines: Mapped[list[OrderLine]] = relationship(back_populates="order")


class OrderLine(Base):
    __tablename__ = "order_line"

    order_id: Mapped[int] = mapped_column(ForeignKey("order.id", ondelete="cascade"), primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id", ondelete="RESTRICT"), primary_key=True)
    count: Mapped[int] = mapped_column(default=1)

    order: Mapped[Order] = relationship(back_populates="lines")
    product: Mapped[Product] = relationship()


@event.listens_for(Order, "before_insert")
def number_order(mapper: object, connection: object, target: Order) -> None:
    """Would take the next number from a sequence."""
