"""What customers of the sample shop do, and how its services answer."""

from collections.abc import Callable

from tasks.sample.pods import BAD_VERSION, pod_of
from tasks.sample.visit import CLIENT, CONSUMER, PRODUCER, Attributes, MadeSpan, Visit

EXHAUSTED = "pool exhausted: 2 of 2 connections in use"
"""What `payment` 3.2.0 says when it has no connection left."""

_POOL_ERROR = "com.example.shop.payment.db.PoolExhaustedException"
_STACK = f"""{_POOL_ERROR}: {EXHAUSTED}
\tat com.example.shop.payment.db.ConnectionPool.acquire(ConnectionPool.java:118)
\tat com.example.shop.payment.db.PaymentStore.insert(PaymentStore.java:57)
\tat com.example.shop.payment.ChargeService.charge(ChargeService.java:91)
\tat com.example.shop.payment.http.ChargeHandler.handle(ChargeHandler.java:44)
\tat java.base/java.util.concurrent.ThreadPoolExecutor.runWorker(ThreadPoolExecutor.java:1144)
\tat java.base/java.lang.Thread.run(Thread.java:1583)"""

_WAIT_SECONDS = 2.0
_EXHAUSTED_SHARE, _DECLINED_SHARE, _TIMEOUT_SHARE = 0.62, 0.03, 0.012
_OK, _CREATED, _DECLINED, _NOT_FOUND, _BAD_GATEWAY, _UNAVAILABLE = 200, 201, 402, 404, 502, 503
_PRODUCTS = 240


def browse(visit: Visit, at: float) -> None:
    """Look at a page of the shop."""
    source = visit.source
    route = source.choices(["/", "/products/{id}", "/search"], [2, 6, 2])[0]
    front, _ = visit.request("frontend", "GET", route, at)
    product = source.randint(1, _PRODUCTS)
    path = route.replace("{id}", str(product))
    now = at + visit.takes(0.004)
    if source.random() < 0.3:  # noqa: PLR2004 - a share
        now = _look_at_cart(visit, front, now)
    now += visit.takes(0.03)
    missing = route == "/products/{id}" and source.random() < 0.01  # noqa: PLR2004 - a share
    if missing:
        visit.log(front, now, "WARN", f"no product {product}", product__id=product)
    elif source.random() < 0.12:  # noqa: PLR2004 - a share
        text = f"cache miss for product {product}, loaded in {source.randint(8, 40)} ms"
        visit.log(front, now, "DEBUG", text, product__id=product)
    _answer(visit, front, path, now, _NOT_FOUND if missing else _OK)


def fill_cart(visit: Visit, at: float) -> None:
    """Put something into the cart."""
    source = visit.source
    front, _ = visit.request("frontend", "POST", "/cart/items", at)
    cart, client = visit.request("cart", "POST", "/carts/{id}/items", at + 0.003, front)
    product, count = source.randint(1, _PRODUCTS), source.choice([1, 1, 1, 2, 3])
    stored = visit.query(cart, "INSERT", "cart_items", cart.start + 0.002, 0.006)
    text = f"added {count} of product {product} to cart of {visit.customer}"
    visit.log(cart, stored, "INFO", text, product__id=product, customer__id=visit.customer)
    if stored - cart.start > 0.012:  # noqa: PLR2004 - seconds
        took = round(1000 * (stored - cart.start))
        visit.log(cart, stored, "WARN", f"slow query: INSERT cart_items took {took} ms")
    now = _returned(cart, client, stored + 0.001, _CREATED)
    _answer(visit, front, "/cart/items", now + 0.002, _CREATED)


def check_out(visit: Visit, at: float) -> None:
    """Buy what is in the cart: charge a card, then send a letter."""
    source = visit.source
    front, _ = visit.request("frontend", "POST", "/checkout", at)
    now = _look_at_cart(visit, front, at + visit.takes(0.005))
    order, cents = source.randint(40_000, 99_999), source.randint(900, 24_000)
    text = f"checkout of order {order} started: {source.randint(1, 6)} items, {_money(cents)}"
    visit.log(front, now, "INFO", text, order__id=order, customer__id=visit.customer)
    status, now = _charge(visit, front, now + 0.002, order, cents)
    if status == _UNAVAILABLE:
        text = f"payment answered {status} for order {order}, trying again (1 of 1)"
        visit.log(front, now, "WARN", text, order__id=order)
        status, now = _charge(visit, front, now + visit.takes(0.25), order, cents)
    if status == _UNAVAILABLE:
        text = f"checkout of order {order} failed: payment answered {status}"
        visit.log(front, now, "ERROR", text, order__id=order, customer__id=visit.customer)
        status = _BAD_GATEWAY
    elif status == _OK:
        _send_mail(visit, front, now, order)
    _answer(visit, front, "/checkout", now + 0.004, status)


KINDS: tuple[tuple[Callable[[Visit, float], None], float], ...] = (
    (browse, 0.56),
    (fill_cart, 0.22),
    (check_out, 0.22),
)
"""What customers do, and how often."""


def _look_at_cart(visit: Visit, front: MadeSpan, at: float) -> float:
    cart, client = visit.request("cart", "GET", "/carts/{id}", at, front)
    read = visit.query(cart, "SELECT", "cart_items", cart.start + 0.001, 0.004)
    if visit.source.random() < 0.0015:  # noqa: PLR2004 - a share
        text = f"cannot read cart of {visit.customer}: connection reset by peer"
        visit.log(cart, read, "ERROR", text, customer__id=visit.customer)
    return _returned(cart, client, read + 0.001, _OK)


def _charge(visit: Visit, front: MadeSpan, at: float, order: int, cents: int) -> tuple[int, float]:
    """Charge a card. Returns the HTTP status, and when it is there."""
    payment, client = visit.request("payment", "POST", "/charges", at, front)
    now = payment.start + visit.takes(0.003)
    waited = 0.0
    if payment.pod.version == BAD_VERSION:
        if visit.source.random() < _EXHAUSTED_SHARE:
            return _UNAVAILABLE, _no_connection(visit, payment, client, now, order)
        waited = visit.source.uniform(0.4, 0.95 * _WAIT_SECONDS)
    now += waited
    provider = visit.span(
        payment.pod,
        "POST",
        CLIENT,
        now,
        payment,
        http__request__method="POST",
        server__address="api.cards.example",
        server__port=443,
    )
    declined = visit.source.random() < _DECLINED_SHARE
    now = provider.ends(now + visit.takes(0.18), _DECLINED if declined else _OK)
    about: Attributes = {"order__id": order, "http__route": "/charges"}
    if declined:
        visit.log(payment, now, "WARN", f"card declined for order {order}", **about)
        return _DECLINED, _returned(payment, client, now + 0.002, _DECLINED)
    now = visit.query(payment, "INSERT", "payments", now + 0.001, 0.008)
    took = round(1000 * (now - payment.start))
    text = f"charged {_money(cents)} for order {order} in {took} ms"
    visit.log(payment, now, "INFO", text, **about)
    return _OK, _returned(payment, client, now + 0.002, _OK)


def _no_connection(
    visit: Visit, payment: MadeSpan, client: MadeSpan | None, at: float, order: int
) -> float:
    now = at + _WAIT_SECONDS + visit.takes(0.002)
    payment.exception = {
        "exception.type": _POOL_ERROR,
        "exception.message": EXHAUSTED,
        "exception.stacktrace": _STACK,
    }
    text = f"cannot charge order {order}: {EXHAUSTED}, waited {round(1000 * (now - at))} ms"
    made = visit.log(payment, now, "ERROR", text, order__id=order, http__route="/charges")
    made.attributes |= payment.exception
    end = _returned(payment, client, now + 0.001, _UNAVAILABLE)
    payment.error = EXHAUSTED
    return end


def _send_mail(visit: Visit, front: MadeSpan, at: float, order: int) -> None:
    """Send the confirmation, which the customer does not wait for."""
    about = {"messaging__system": "rabbitmq", "messaging__destination__name": "confirmations"}
    publish = visit.span(front.pod, "publish confirmations", PRODUCER, at, front, **about)
    publish.ends(at + visit.takes(0.002))
    begun = publish.end + visit.takes(0.05, 0.8)
    pod = pod_of("mail", begun, visit.source)
    process = visit.span(pod, "process confirmations", CONSUMER, begun, publish, **about)
    smtp = visit.span(
        pod, "SMTP send", CLIENT, begun + 0.004, process, server__address="smtp.example"
    )
    if visit.source.random() < _TIMEOUT_SHARE:
        now = smtp.ends(smtp.start + 5.0, error="timed out")
        text = f"cannot send confirmation of order {order}: smtp.example timed out after 5000 ms"
        visit.log(process, now, "ERROR", text, order__id=order, error__type="TimeoutError")
        process.ends(now + 0.002, error="TimeoutError")
        return
    now = smtp.ends(smtp.start + visit.takes(0.12, 0.5))
    visit.log(process, now, "INFO", f"confirmation of order {order} sent", order__id=order)
    process.ends(now + 0.002)


def _returned(server: MadeSpan, client: MadeSpan | None, at: float, status: int) -> float:
    """End the spans of a request. Returns when the client has the answer."""
    server.ends(at, status)
    return client.ends(at + 0.0007, status) if client else at


def _answer(visit: Visit, front: MadeSpan, path: str, at: float, status: int) -> None:
    """Answer the customer, and write the access log."""
    front.ends(at, status)
    seconds = front.end - front.start
    method = str(front.attributes["http.request.method"])
    visit.log(
        front,
        at,
        "INFO",
        f"{method} {path} {status} {round(1000 * seconds)} ms",
        http__request__method=method,
        http__route=front.attributes["http.route"],
        http__response__status_code=status,
        http__server__request__duration=round(seconds, 4),
        url__path=path,
        customer__id=visit.customer,
    )


def _money(cents: int) -> str:
    return f"{cents / 100:.2f} EUR"
