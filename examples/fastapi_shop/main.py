"""A shop with FastAPI and SQLAlchemy, small enough to read in a minute.

conduit collect --app main:app -o metadata.json      (in this folder)
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException, Query, Security, WebSocket
from fastapi.security import OAuth2PasswordBearer
from models import Customer, Order, Product
from pydantic import BaseModel, Field, computed_field, field_validator
from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route

oauth2 = OAuth2PasswordBearer("token", scopes={"orders": "Read and place orders."})


class ProductIn(BaseModel):
    """What a shop assistant enters."""

    name: str = Field(min_length=1, max_length=100, description="As printed on the receipt.")
    price_cents: int = Field(ge=0, default=0)
    tags: list[str] = Field(default_factory=list)

    @field_validator("name")
    @classmethod
    def strip_name(cls, value: str) -> str:
        return value.strip()


class ProductOut(ProductIn):
    id: int

    @computed_field
    @property
    def price(self) -> float:
        return self.price_cents / 100


class OrderLineIn(BaseModel):
    product_id: int
    count: int = Field(gt=0, default=1)


class OrderIn(BaseModel):
    lines: list[OrderLineIn]
    note: str | None = Field(default=None, alias="remark")


class OrderOut(BaseModel):
    id: int
    lines: list[OrderLineIn]


def session() -> str:
    return "a database session"


def current_customer(
    token: Annotated[str, Depends(oauth2)], db: Annotated[str, Depends(session)]
) -> Customer:
    raise HTTPException(501, f"{token} {db}")


def rate_limit(per_minute: int) -> Callable[..., None]:
    def limit() -> None:
        if per_minute < 1:
            raise HTTPException(429)

    return limit


def audited(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def audit(*args: Any, **kwargs: Any) -> Any:
        return await function(*args, **kwargs)

    return audit


products = APIRouter(prefix="/products", tags=["products"])
orders = APIRouter(
    prefix="/orders", tags=["orders"], dependencies=[Security(current_customer, scopes=["orders"])]
)


@products.get("")
async def list_products(
    db: Annotated[str, Depends(session)],
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    accept_language: Annotated[str | None, Header()] = None,
) -> list[ProductOut]:
    print("listing", Product, db, limit, accept_language)
    return []


@products.post("", status_code=201, dependencies=[Depends(current_customer)])
@audited
async def create_product(product: ProductIn) -> ProductOut:
    return ProductOut(id=1, **product.model_dump())


@products.delete("/{product_id}", status_code=204, deprecated=True)
async def delete_product(product_id: int) -> None:
    """Requires no user: the outlier among the routes that write."""


@orders.get("/{order_id}", responses={404: {"description": "There is no such order."}})
async def show_order(order_id: int) -> OrderOut:
    return OrderOut(id=order_id, lines=[])


@orders.post("", dependencies=[Depends(rate_limit(10))])
async def place_order(order: OrderIn) -> OrderOut:
    return OrderOut(id=Order.id, lines=order.lines)


async def robots(request: Request) -> Response:
    return PlainTextResponse("User-agent: *")


pages = Starlette(
    routes=[Route("/robots.txt", robots), Mount("/deep", routes=[Route("/robots.txt", robots)])]
)
pages.add_middleware(GZipMiddleware, minimum_size=500)

app = FastAPI(title="Shop")
app.include_router(products)
app.include_router(orders)
app.include_router(orders, prefix="/v2", dependencies=[Depends(rate_limit(100))])
app.mount("/pages", pages, name="pages")
app.add_middleware(GZipMiddleware, minimum_size=1000)


@app.middleware("http")
async def add_request_id(request: Request, call_next: Any) -> Response:
    return await call_next(request)


@app.websocket("/updates")
async def updates(websocket: WebSocket) -> None:
    await websocket.accept()


print("the shop has been imported")


def make_app() -> FastAPI:
    """The same shop for those who prefer a factory."""
    return app
