"""Home, product, prices."""

from __future__ import annotations

from flask import Response, render_template, request

from app.blueprints.site import area
from app.blueprints.site.kept import kept_page
from app.blueprints.site.offers import comparison, fingerprint, from_prices, offers
from app.catalog import queries
from app.crm.capture import site as capture_site


@area.get("/")
def home() -> Response:
    prices = from_prices()
    return kept_page(prices, lambda: render_template("site/home.html", from_prices=prices))


@area.get("/product")
def product() -> Response:
    prices, asks = from_prices(), capture_site.is_open()
    return kept_page((prices, asks), lambda: render_template("site/product.html", from_prices=prices, asks=asks))


@area.get("/pricing")
def pricing() -> Response:
    """Both ways of running the product on one page; ?mode=private opens the second one without script."""
    mode = "private" if request.args.get("mode") == "private" else "saas"
    return kept_page((mode, fingerprint()), lambda: _pricing(mode))


def _pricing(mode: str) -> str:
    cloud, own = queries.packages("saas"), queries.packages("private")
    return render_template(
        "site/pricing.html",
        mode=mode,
        durations=queries.durations(),
        offers=offers("saas"),
        own_offers=offers("private"),
        cloud_packages=cloud,
        cloud_groups=comparison(cloud),
        own_packages=own,
        own_groups=comparison(own),
    )
