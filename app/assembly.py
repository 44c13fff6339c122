"""The roof: settings → extensions → gateways → areas → subscriptions, a list one can read aloud."""

from __future__ import annotations

import importlib
from pathlib import Path

import redis
import structlog
from flask import Flask
from flask_wtf import CSRFProtect
from htmx_flask import Htmx
from jinja2 import StrictUndefined
from werkzeug.middleware.proxy_fix import ProxyFix

import jobs.crm
import jobs.notifications
import jobs.payments
import jobs.provisioning
from app import cli, config
from app.catalog import models as _catalog  # noqa: F401
from app.config import ROOT, Settings
from app.core import crypto, events, logs, rls, seals, states, storage  # noqa: F401
from app.core import db as core_db
from app.core.db import db
from app.crm.access import cases as _crm_cases  # noqa: F401
from app.crm.access import history as _crm_history  # noqa: F401
from app.crm.access import models as _crm_access
from app.crm.access import notices as _crm_notices  # noqa: F401
from app.crm.access import origins as _crm_origins  # noqa: F401
from app.crm.access import page_views as _crm_page_views  # noqa: F401
from app.crm.activities import behaviour as _crm_behaviour  # noqa: F401
from app.crm.activities import next_follow as _crm_next_follow  # noqa: F401
from app.crm.activities import plans as _crm_plans  # noqa: F401
from app.crm.calendar import models as _crm_calendar  # noqa: F401
from app.crm.capture import models as _crm_capture  # noqa: F401
from app.crm.customers import customer as _crm_customers  # noqa: F401
from app.crm.customers import past as _crm_customers_past  # noqa: F401
from app.crm.imports import models as _crm_imports  # noqa: F401
from app.crm.leads import followed as _crm_followed  # noqa: F401
from app.crm.leads import in_bulk as _crm_bulk  # noqa: F401
from app.crm.leads import lead as _crm_leads  # noqa: F401
from app.crm.leads import views as _crm_lead_views  # noqa: F401
from app.crm.leads.assignment import load as _crm_load  # noqa: F401
from app.crm.leads.pools import membership as _crm_pools  # noqa: F401
from app.crm.leads.pools import past as _crm_pools_past  # noqa: F401
from app.crm.leads.scoring import models as _crm_scores  # noqa: F401
from app.crm.records import attachments as _crm_attachments  # noqa: F401
from app.crm.records import comments as _crm_comments  # noqa: F401
from app.crm.records import recent as _crm_recent  # noqa: F401
from app.crm.records import rules as _crm_rules  # noqa: F401
from app.crm.records import timeline as _crm_timeline  # noqa: F401
from app.customers import codes
from app.customers import models as _customers
from app.notifications import models as _notifications  # noqa: F401
from app.orders import models as _orders  # noqa: F401
from app.payments import models as _payments  # noqa: F401
from app.provisioning import models as _provisioning  # noqa: F401
from app.staff import models as _staff
from app.web import area, components, errors, identity, operations, security, static_files, template_filters
from jobs import dispatch
from jobs.subscriptions import SUBSCRIPTIONS

log = structlog.get_logger(__name__)

csrf = CSRFProtect()

AREAS = ("site", "checkout", "pay", "center", "admin", "crm", "forms", "hooks", "api")


def assemble(settings: Settings | None = None) -> Flask:
    settings = settings or config.load()
    if settings.sandbox:
        settings = _with_sandbox_gateways(settings)
    logs.set_up(settings.log_format)
    app = Flask(
        "app", root_path=str(ROOT / "app"), instance_path=str(settings.instance_path.resolve()), static_folder=None
    )
    Path(app.instance_path).mkdir(parents=True, exist_ok=True)
    _configure(app, settings)
    _set_up_templates(app, settings)
    _set_up_extensions(app, settings)
    _set_up_gateways(app, settings)
    _open_areas(app, settings)
    cli.init_app(app)
    events.subscribe(SUBSCRIPTIONS)
    events.on_commit(dispatch.enqueue)
    return app


def _with_sandbox_gateways(settings: Settings) -> Settings:
    """Fill in the local counterparts for whatever gateway has no settings of its own (SPEC §2, Sandbox)."""
    from app.gateways.sandbox.keys import ALIPAY_VARIABLES, WECHATPAY_VARIABLES, ensure_keys, load_keys
    from app.gateways.sandbox.oauth import app_secret
    from app.provisioning.keys import ensure_license_key

    given = {name: str(getattr(settings, name.lower())) for name in (*WECHATPAY_VARIABLES, *ALIPAY_VARIABLES)}
    made: dict[str, object] = {
        name.lower(): value
        for name, value in ensure_keys(
            settings.instance_path, public_url=settings.public_url, sandbox_port=settings.sandbox_port, given=given
        ).items()
    }
    if not settings.wechat_app_secret:
        made["wechat_app_secret"] = app_secret(load_keys(settings.instance_path))
        made["wechat_authorize_url"] = f"{settings.public_url}/sandbox/wechat/oauth"
        made["wechat_api"] = f"http://127.0.0.1:{settings.sandbox_port}"
    if not settings.license_private_key:
        made["license_private_key"] = ensure_license_key(settings.instance_path)
    return settings.model_copy(update=made)


def _configure(app: Flask, settings: Settings) -> None:
    app.extensions["settings"] = settings
    app.config.update(
        SECRET_KEY=settings.secret_key,
        SQLALCHEMY_DATABASE_URI=settings.database_url,
        SQLALCHEMY_ENGINE_OPTIONS=_engine_options(settings.database_url),
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.is_secure,
        PERMANENT_SESSION_LIFETIME=7 * 24 * 3600,
        WTF_CSRF_TIME_LIMIT=12 * 3600,
        WTF_CSRF_SSL_STRICT=settings.is_secure,
        MAX_CONTENT_LENGTH=2 * 1024 * 1024,
        MAX_FORM_MEMORY_SIZE=512 * 1024,
    )
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        # The host is the one that the proxy asks for: an X-Forwarded-Host would come from the visitor himself.
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=0)  # type: ignore[method-assign]
    if settings.sandbox:
        codes.use_limits(codes.SANDBOX_LIMITS)
    crypto.use_rounds(settings.password_rounds)
    crypto.use_keys(crypto.KeyRing([key.strip() for key in settings.field_key.split(",")]))
    storage.use(Path(app.instance_path) / "files")
    seals.keep_anchors_in(Path(app.instance_path) / "anchors")


def _engine_options(url: str) -> dict[str, object]:
    # A failed statement is logged and kept with its task: its values may be names, addresses, hashes of passwords.
    options: dict[str, object] = {"hide_parameters": True}
    if url.startswith("sqlite"):
        return options | {"connect_args": {"timeout": 20}}
    options |= {"pool_size": 4, "max_overflow": 4, "pool_pre_ping": True, "pool_recycle": 1800}
    if "pymysql" in url:
        options["isolation_level"] = "READ COMMITTED"
        options["connect_args"] = {"init_command": "SET time_zone='+00:00'"}
    return options


def _set_up_templates(app: Flask, settings: Settings) -> None:
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals.update(settings=settings, theme=security.theme)
    template_filters.init_app(app)
    components.init_app(app)
    static_files.init_app(app)


def _set_up_extensions(app: Flask, settings: Settings) -> None:
    core_db.init_app(app)
    _insist_on_the_wall(app, settings)
    csrf.init_app(app)
    Htmx(app)
    app.extensions["redis"] = redis.Redis.from_url(
        settings.redis_url, socket_connect_timeout=2, socket_timeout=3, health_check_interval=30
    )
    operations.init_app(app)
    security.init_app(app, is_secure=settings.is_secure)
    identity.init_app(app)
    identity.register("person", lambda key: _active(_customers.Person, key))
    identity.register("staff", lambda key: _active(_staff.Staff, key))
    identity.register("crm_user", lambda key: _active(_crm_access.CrmUser, key))
    area.init_app(app)
    errors.init_app(app)


def _insist_on_the_wall(app: Flask, settings: Settings) -> None:
    """Raises ConfigurationError for a database role that row-level security does not hold; in the sandbox it is a warning."""
    with app.app_context():
        weakness = rls.check(db.engine)
    if weakness and not settings.sandbox:
        raise config.ConfigurationError(weakness)
    if weakness:
        log.warning("tenants_are_kept_apart_by_the_program_only", reason=weakness)


def _active(model: type, key: str) -> object | None:
    person = db.session.get(model, key)
    return person if person is not None and person.status == "active" else None


def _set_up_gateways(app: Flask, settings: Settings) -> None:
    from app import outside

    outside.connect(app, settings)


def _open_areas(app: Flask, settings: Settings) -> None:
    for name in AREAS:
        app.register_blueprint(importlib.import_module(f"app.blueprints.{name}").area)
    if settings.sandbox:
        sandbox = importlib.import_module("app.blueprints.sandbox")
        app.register_blueprint(sandbox.area)
    for name in ("pay", "sandbox", "forms", "hooks", "api"):
        if name in app.blueprints:
            csrf.exempt(app.blueprints[name])


__all__ = ["AREAS", "assemble", "csrf", "jobs"]
