"""The first house: every table as the models of the first release have it.

Revision: 0001
After: nothing
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from app.core.crypto import EncryptedJSON, EncryptedText
from app.core.db import Money, Ratio, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# MySQL's and MariaDB's usual collations take "a" and "A" for one; a code, a token, a number is what it is.
_EXACT = {
    f"{dialect}_{option}": value
    for dialect in ("mysql", "mariadb")
    for option, value in (("charset", "utf8mb4"), ("collate", "utf8mb4_bin"))
}


def upgrade() -> None:
    op.create_table(
        "durations",
        sa.Column("months", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("rate", Ratio(), nullable=False),
        sa.PrimaryKeyConstraint("months", name=op.f("pk_durations")),
        **_EXACT,
    )
    op.create_table(
        "gateway_certificates",
        sa.Column("gateway", sa.String(length=20), nullable=False),
        sa.Column("serial", sa.String(length=64), nullable=False),
        sa.Column("pem", sa.Text(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gateway_certificates")),
        sa.UniqueConstraint("serial", name=op.f("uq_gateway_certificates_serial")),
        **_EXACT,
    )
    op.create_table(
        "gateway_notices",
        sa.Column("gateway", sa.String(length=20), nullable=False),
        sa.Column("verdict", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.String(length=60), nullable=True),
        sa.Column("attempt_no", sa.String(length=64), nullable=True),
        sa.Column("order_id", sa.String(length=36), nullable=True),
        sa.Column("notice_id", sa.String(length=64), nullable=True),
        sa.Column("address", sa.String(length=45), nullable=False),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column(
            "body",
            sa.Text().with_variant(mysql.MEDIUMTEXT(), "mariadb").with_variant(mysql.MEDIUMTEXT(), "mysql"),
            nullable=False,
        ),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gateway_notices")),
        **_EXACT,
    )
    op.create_index(op.f("ix_gateway_notices_attempt_no"), "gateway_notices", ["attempt_no"], unique=False)
    op.create_index(op.f("ix_gateway_notices_order_id"), "gateway_notices", ["order_id"], unique=False)
    op.create_index("ix_gateway_notices_verdict_id", "gateway_notices", ["verdict", "id"], unique=False)
    op.create_table(
        "login_tokens",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("subject_id", sa.String(length=36), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("used_at", UtcDateTime(), nullable=True),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login_tokens")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_login_tokens_token_hash")),
        **_EXACT,
    )
    op.create_index(op.f("ix_login_tokens_expires_at"), "login_tokens", ["expires_at"], unique=False)
    op.create_table(
        "messages",
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("template", sa.String(length=40), nullable=False),
        sa.Column("recipient", EncryptedText(), nullable=False),
        sa.Column("recipient_masked", sa.String(length=120), nullable=False),
        sa.Column("parameters", EncryptedJSON(), nullable=False),
        sa.Column("dedupe_key", sa.String(length=120), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("provider_id", sa.String(length=120), nullable=True),
        sa.Column("error", sa.String(length=300), nullable=True),
        sa.Column("order_id", sa.String(length=36), nullable=True),
        sa.Column("customer_id", sa.String(length=36), nullable=True),
        sa.Column("sent_at", UtcDateTime(), nullable=True),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
        sa.UniqueConstraint("dedupe_key", name=op.f("uq_messages_dedupe_key")),
        **_EXACT,
    )
    op.create_index(op.f("ix_messages_customer_id"), "messages", ["customer_id"], unique=False)
    op.create_index(op.f("ix_messages_order_id"), "messages", ["order_id"], unique=False)
    op.create_index(op.f("ix_messages_status"), "messages", ["status"], unique=False)
    op.create_index(op.f("ix_messages_template"), "messages", ["template"], unique=False)
    op.create_table(
        "outbox_events",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("subject_id", sa.String(length=36), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("request_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox_events")),
        **_EXACT,
    )
    op.create_index(op.f("ix_outbox_events_name"), "outbox_events", ["name"], unique=False)
    op.create_index(op.f("ix_outbox_events_subject_id"), "outbox_events", ["subject_id"], unique=False)
    op.create_table(
        "packages",
        sa.Column("product_type", sa.String(length=20), nullable=False),
        sa.Column("code", sa.String(length=30), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("tagline", sa.String(length=200), nullable=False),
        sa.Column("price", Money(), nullable=False),
        sa.Column("max_users", sa.Integer(), nullable=True),
        sa.Column("storage_gb", sa.Integer(), nullable=True),
        sa.Column("features", sa.JSON(), nullable=False),
        sa.Column("recommended", sa.Boolean(), nullable=False),
        sa.Column("ticket_hours", sa.Integer(), nullable=False),
        sa.Column("phone_support", sa.String(length=40), nullable=False),
        sa.Column("remote_assists", sa.Integer(), nullable=True),
        sa.Column("dedicated_support", sa.Boolean(), nullable=False),
        sa.Column("maintenance_months", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_packages")),
        sa.UniqueConstraint("product_type", "code", name=op.f("uq_packages_product_type_code")),
        **_EXACT,
    )
    op.create_index(op.f("ix_packages_product_type"), "packages", ["product_type"], unique=False)
    op.create_table(
        "payment_cases",
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("subject", sa.String(length=100), nullable=False),
        sa.Column("detail", sa.String(length=500), nullable=False),
        sa.Column("order_id", sa.String(length=36), nullable=True),
        sa.Column("resolved_at", UtcDateTime(), nullable=True),
        sa.Column("resolved_by", sa.String(length=80), nullable=True),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_cases")),
        sa.UniqueConstraint("kind", "subject", name=op.f("uq_payment_cases_kind_subject")),
        **_EXACT,
    )
    op.create_index(op.f("ix_payment_cases_order_id"), "payment_cases", ["order_id"], unique=False)
    op.create_index(op.f("ix_payment_cases_resolved_at"), "payment_cases", ["resolved_at"], unique=False)
    op.create_table(
        "quotas",
        sa.Column("key", sa.String(length=120), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("window_ends_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_quotas")),
        **_EXACT,
    )
    op.create_index(op.f("ix_quotas_window_ends_at"), "quotas", ["window_ends_at"], unique=False)
    op.create_table(
        "releases",
        sa.Column("version", sa.String(length=20), nullable=False),
        sa.Column("platform", sa.String(length=20), nullable=False),
        sa.Column("file_name", sa.String(length=120), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("published_at", UtcDateTime(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_releases")),
        sa.UniqueConstraint("version", "platform", name=op.f("uq_releases_version_platform")),
        **_EXACT,
    )
    op.create_table(
        "sms_codes",
        sa.Column("phone_index", sa.String(length=40), nullable=False),
        sa.Column("phone", EncryptedText(), nullable=True),
        sa.Column("purpose", sa.String(length=20), nullable=False),
        sa.Column("code", EncryptedText(), nullable=True),
        sa.Column("address", sa.String(length=45), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("used_at", UtcDateTime(), nullable=True),
        sa.Column("used_index", sa.String(length=40), nullable=True),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sms_codes")),
        **_EXACT,
    )
    op.create_index("ix_sms_codes_address", "sms_codes", ["address", "created_at"], unique=False)
    op.create_index("ix_sms_codes_phone", "sms_codes", ["phone_index", "purpose", "created_at"], unique=False)
    op.create_table(
        "staff",
        sa.Column("username", sa.String(length=60), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("title", sa.String(length=60), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("password", sa.String(length=255), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("session_epoch", sa.Integer(), nullable=False),
        sa.Column("last_login_at", UtcDateTime(), nullable=True),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("ended_sessions", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff")),
        sa.UniqueConstraint("username", name=op.f("uq_staff_username")),
        **_EXACT,
    )
    op.create_table(
        "staff_alerts",
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=100), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("link", sa.String(length=200), nullable=True),
        sa.Column("resolved_at", UtcDateTime(), nullable=True),
        sa.Column("resolved_by", sa.String(length=80), nullable=True),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_alerts")),
        sa.UniqueConstraint("kind", "subject", name=op.f("uq_staff_alerts_kind_subject")),
        **_EXACT,
    )
    op.create_index(op.f("ix_staff_alerts_resolved_at"), "staff_alerts", ["resolved_at"], unique=False)
    op.create_table(
        "staff_logins",
        sa.Column("username", sa.String(length=60), nullable=False),
        sa.Column("address", sa.String(length=45), nullable=False),
        sa.Column("succeeded", sa.Boolean(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_logins")),
        **_EXACT,
    )
    op.create_index("ix_staff_logins_address", "staff_logins", ["address", "created_at"], unique=False)
    op.create_index("ix_staff_logins_username", "staff_logins", ["username", "created_at"], unique=False)
    op.create_table(
        "transitions",
        sa.Column("subject_type", sa.String(length=40), nullable=False),
        sa.Column("subject_id", sa.String(length=36), nullable=False),
        sa.Column("field", sa.String(length=20), nullable=False),
        sa.Column("action", sa.String(length=30), nullable=False),
        sa.Column("from_state", sa.String(length=20), nullable=False),
        sa.Column("to_state", sa.String(length=20), nullable=False),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("request_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transitions")),
        **_EXACT,
    )
    op.create_index("ix_transitions_subject", "transitions", ["subject_type", "subject_id", "created_at"], unique=False)
    op.create_table(
        "website_customers",
        sa.Column("company_name", sa.String(length=200), nullable=False),
        sa.Column("contact_name", sa.String(length=100), nullable=False),
        sa.Column("phone", EncryptedText(), nullable=False),
        sa.Column("phone_index", sa.String(length=40), nullable=False),
        sa.Column("email", sa.String(length=100), nullable=True),
        sa.Column("password", sa.String(length=255), nullable=True),
        sa.Column("source", sa.String(length=50), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_website_customers")),
        **_EXACT,
    )
    op.create_index(op.f("ix_website_customers_company_name"), "website_customers", ["company_name"], unique=False)
    op.create_index(op.f("ix_website_customers_phone_index"), "website_customers", ["phone_index"], unique=False)
    op.create_index(op.f("ix_website_customers_status"), "website_customers", ["status"], unique=False)
    op.create_table(
        "accepted_terms",
        sa.Column("document", sa.String(length=30), nullable=False),
        sa.Column("version", sa.String(length=20), nullable=False),
        sa.Column("address", sa.String(length=45), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("customer_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["website_customers.id"], name=op.f("fk_accepted_terms_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accepted_terms")),
        sa.UniqueConstraint(
            "customer_id", "document", "version", name=op.f("uq_accepted_terms_customer_id_document_version")
        ),
        **_EXACT,
    )
    op.create_index(op.f("ix_accepted_terms_customer_id"), "accepted_terms", ["customer_id"], unique=False)
    op.create_table(
        "customer_people",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("phone", EncryptedText(), nullable=False),
        sa.Column("phone_index", sa.String(length=40), nullable=False),
        sa.Column("email", sa.String(length=100), nullable=True),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("password", sa.String(length=255), nullable=True),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("session_epoch", sa.Integer(), nullable=False),
        sa.Column("last_login_at", UtcDateTime(), nullable=True),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("customer_id", sa.String(length=36), nullable=False),
        sa.Column("ended_sessions", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(["customer_id"], ["website_customers.id"], name=op.f("fk_customer_people_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer_people")),
        sa.UniqueConstraint("phone_index", name=op.f("uq_customer_people_phone_index")),
        **_EXACT,
    )
    op.create_index(op.f("ix_customer_people_customer_id"), "customer_people", ["customer_id"], unique=False)
    op.create_table(
        "outbox_tasks",
        sa.Column("event_id", sa.String(length=36), nullable=False),
        sa.Column("job", sa.String(length=80), nullable=False),
        sa.Column("arguments", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("request_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["event_id"], ["outbox_events.id"], name=op.f("fk_outbox_tasks_event_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox_tasks")),
        **_EXACT,
    )
    op.create_index(op.f("ix_outbox_tasks_event_id"), "outbox_tasks", ["event_id"], unique=False)
    op.create_index(op.f("ix_outbox_tasks_job"), "outbox_tasks", ["job"], unique=False)
    op.create_index("ix_outbox_tasks_state_due_at", "outbox_tasks", ["state", "due_at"], unique=False)
    op.create_table(
        "purchase_orders",
        sa.Column("order_no", sa.String(length=50), nullable=False),
        sa.Column("product_type", sa.String(length=20), nullable=False),
        sa.Column("package_id", sa.String(length=36), nullable=True),
        sa.Column("package_code", sa.String(length=30), nullable=False),
        sa.Column("package_name", sa.String(length=100), nullable=False),
        sa.Column("max_users", sa.Integer(), nullable=True),
        sa.Column("storage_gb", sa.Integer(), nullable=True),
        sa.Column("features", sa.JSON(), nullable=False),
        sa.Column("maintenance_months", sa.Integer(), nullable=False),
        sa.Column("duration_months", sa.Integer(), nullable=False),
        sa.Column("unit_price", Money(), nullable=False),
        sa.Column("original_price", Money(), nullable=False),
        sa.Column("discount_rate", Ratio(), nullable=False),
        sa.Column("actual_price", Money(), nullable=False),
        sa.Column("refunded_amount", Money(), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("delivery", sa.String(length=20), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("cancel_wanted_at", UtcDateTime(), nullable=True),
        sa.Column("paid_at", UtcDateTime(), nullable=True),
        sa.Column("paid_by", sa.String(length=20), nullable=True),
        sa.Column("paid_source", sa.String(length=20), nullable=True),
        sa.Column("delivered_at", UtcDateTime(), nullable=True),
        sa.Column("expire_at", sa.Date(), nullable=True),
        sa.Column("tenant_id", sa.String(length=36), nullable=True),
        sa.Column("license_id", sa.String(length=36), nullable=True),
        sa.Column("contact_name", sa.String(length=100), nullable=False),
        sa.Column("company_name", sa.String(length=200), nullable=False),
        sa.Column("phone", EncryptedText(), nullable=False),
        sa.Column("email", sa.String(length=100), nullable=True),
        sa.Column("remark", sa.Text(), nullable=True),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("customer_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["website_customers.id"], name=op.f("fk_purchase_orders_customer_id")),
        sa.ForeignKeyConstraint(["package_id"], ["packages.id"], name=op.f("fk_purchase_orders_package_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_purchase_orders")),
        sa.UniqueConstraint("order_no", name=op.f("uq_purchase_orders_order_no")),
        **_EXACT,
    )
    op.create_index("ix_purchase_orders_created_at", "purchase_orders", ["created_at"], unique=False)
    op.create_index(op.f("ix_purchase_orders_customer_id"), "purchase_orders", ["customer_id"], unique=False)
    op.create_index("ix_purchase_orders_customer_id_id", "purchase_orders", ["customer_id", "id"], unique=False)
    op.create_index(op.f("ix_purchase_orders_delivery"), "purchase_orders", ["delivery"], unique=False)
    op.create_index(op.f("ix_purchase_orders_license_id"), "purchase_orders", ["license_id"], unique=False)
    op.create_index(op.f("ix_purchase_orders_package_id"), "purchase_orders", ["package_id"], unique=False)
    op.create_index(op.f("ix_purchase_orders_paid_at"), "purchase_orders", ["paid_at"], unique=False)
    op.create_index("ix_purchase_orders_status_expires_at", "purchase_orders", ["status", "expires_at"], unique=False)
    op.create_index(op.f("ix_purchase_orders_tenant_id"), "purchase_orders", ["tenant_id"], unique=False)
    op.create_table(
        "delivery_steps",
        sa.Column("order_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=True),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("detail", sa.JSON(), nullable=True),
        sa.Column("error", sa.String(length=300), nullable=True),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["order_id"], ["purchase_orders.id"], name=op.f("fk_delivery_steps_order_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery_steps")),
        sa.UniqueConstraint("order_id", "name", name=op.f("uq_delivery_steps_order_id_name")),
        **_EXACT,
    )
    op.create_table(
        "licenses",
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("order_id", sa.String(length=36), nullable=True),
        sa.Column("package_code", sa.String(length=30), nullable=False),
        sa.Column("package_name", sa.String(length=100), nullable=False),
        sa.Column("license_type", sa.String(length=20), nullable=False),
        sa.Column("max_users", sa.Integer(), nullable=True),
        sa.Column("features", sa.JSON(), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("maintenance_until", sa.Date(), nullable=True),
        sa.Column("certificate", sa.Text(), nullable=True),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("customer_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["website_customers.id"], name=op.f("fk_licenses_customer_id")),
        sa.ForeignKeyConstraint(["order_id"], ["purchase_orders.id"], name=op.f("fk_licenses_order_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_licenses")),
        sa.UniqueConstraint("code", name=op.f("uq_licenses_code")),
        sa.UniqueConstraint("order_id", name=op.f("uq_licenses_order_id")),
        **_EXACT,
    )
    op.create_index(op.f("ix_licenses_customer_id"), "licenses", ["customer_id"], unique=False)
    op.create_index(op.f("ix_licenses_status"), "licenses", ["status"], unique=False)
    op.create_table(
        "payment_transactions",
        sa.Column("order_id", sa.String(length=36), nullable=False),
        sa.Column("attempt_no", sa.String(length=32), nullable=False),
        sa.Column("transaction_no", sa.String(length=100), nullable=True),
        sa.Column("pay_type", sa.String(length=20), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("amount", Money(), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("counts", sa.String(length=20), nullable=True),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("client_ip", sa.String(length=45), nullable=False),
        sa.Column("openid", sa.String(length=64), nullable=True),
        sa.Column("code_url", sa.String(length=512), nullable=True),
        sa.Column("redirect_url", sa.Text(), nullable=True),
        sa.Column("jsapi", sa.JSON(), nullable=True),
        sa.Column("started_at", UtcDateTime(), nullable=True),
        sa.Column("ask_at", UtcDateTime(), nullable=False),
        sa.Column("asked", sa.Integer(), nullable=False),
        sa.Column("error", sa.String(length=200), nullable=True),
        sa.Column("pay_time", UtcDateTime(), nullable=True),
        sa.Column("source", sa.String(length=20), nullable=True),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("refund_time", UtcDateTime(), nullable=True),
        sa.Column("refund_amount", Money(), nullable=True),
        sa.Column(
            "raw_data",
            sa.Text().with_variant(mysql.MEDIUMTEXT(), "mariadb").with_variant(mysql.MEDIUMTEXT(), "mysql"),
            nullable=True,
        ),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["order_id"], ["purchase_orders.id"], name=op.f("fk_payment_transactions_order_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_transactions")),
        sa.UniqueConstraint("attempt_no", name=op.f("uq_payment_transactions_attempt_no")),
        sa.UniqueConstraint("pay_type", "transaction_no", name=op.f("uq_payment_transactions_pay_type_transaction_no")),
        **_EXACT,
    )
    op.create_index(op.f("ix_payment_transactions_order_id"), "payment_transactions", ["order_id"], unique=False)
    op.create_index("ix_payment_transactions_status_ask_at", "payment_transactions", ["status", "ask_at"], unique=False)
    op.create_index(
        op.f("ix_payment_transactions_transaction_no"), "payment_transactions", ["transaction_no"], unique=False
    )
    op.create_table(
        "tenants",
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("order_id", sa.String(length=36), nullable=True),
        sa.Column("package_code", sa.String(length=30), nullable=False),
        sa.Column("package_name", sa.String(length=100), nullable=False),
        sa.Column("max_users", sa.Integer(), nullable=True),
        sa.Column("storage_gb", sa.Integer(), nullable=True),
        sa.Column("features", sa.JSON(), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=False),
        sa.Column("first_password", EncryptedText(), nullable=True),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("customer_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["website_customers.id"], name=op.f("fk_tenants_customer_id")),
        sa.ForeignKeyConstraint(["order_id"], ["purchase_orders.id"], name=op.f("fk_tenants_order_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tenants")),
        sa.UniqueConstraint("code", name=op.f("uq_tenants_code")),
        sa.UniqueConstraint("order_id", name=op.f("uq_tenants_order_id")),
        **_EXACT,
    )
    op.create_index(op.f("ix_tenants_customer_id"), "tenants", ["customer_id"], unique=False)
    op.create_index(op.f("ix_tenants_status"), "tenants", ["status"], unique=False)
    op.create_table(
        "crm_users",
        sa.Column("username", sa.String(length=60), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("password", sa.String(length=255), nullable=False),
        sa.Column("must_change_password", sa.Boolean(), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("session_epoch", sa.Integer(), nullable=False),
        sa.Column("last_login_at", UtcDateTime(), nullable=True),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.Column("ended_sessions", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_users_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_users")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_crm_users_tenant_id_id")),
        sa.UniqueConstraint("tenant_id", "username", name=op.f("uq_crm_users_tenant_id_username")),
        **_EXACT,
    )
    op.create_index(op.f("ix_crm_users_tenant_id"), "crm_users", ["tenant_id"], unique=False)
    op.create_table(
        "payment_refunds",
        sa.Column("refund_no", sa.String(length=40), nullable=False),
        sa.Column("payment_id", sa.String(length=36), nullable=False),
        sa.Column("order_id", sa.String(length=36), nullable=False),
        sa.Column("amount", Money(), nullable=False),
        sa.Column("reason", sa.String(length=80), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("requested_by", sa.String(length=80), nullable=False),
        sa.Column("sent_at", UtcDateTime(), nullable=True),
        sa.Column("gateway_refund_no", sa.String(length=100), nullable=True),
        sa.Column("succeeded_at", UtcDateTime(), nullable=True),
        sa.Column("error", sa.String(length=200), nullable=True),
        sa.Column(
            "raw_data",
            sa.Text().with_variant(mysql.MEDIUMTEXT(), "mariadb").with_variant(mysql.MEDIUMTEXT(), "mysql"),
            nullable=True,
        ),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["order_id"], ["purchase_orders.id"], name=op.f("fk_payment_refunds_order_id")),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payment_transactions.id"], name=op.f("fk_payment_refunds_payment_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_refunds")),
        sa.UniqueConstraint("refund_no", name=op.f("uq_payment_refunds_refund_no")),
        **_EXACT,
    )
    op.create_index(op.f("ix_payment_refunds_order_id"), "payment_refunds", ["order_id"], unique=False)
    op.create_index(op.f("ix_payment_refunds_payment_id"), "payment_refunds", ["payment_id"], unique=False)
    op.create_index(op.f("ix_payment_refunds_status"), "payment_refunds", ["status"], unique=False)
    op.create_table(
        "crm_customers",
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("contact_name", sa.String(length=100), nullable=False),
        sa.Column("phone", EncryptedText(), nullable=True),
        sa.Column("phone_index", sa.String(length=40), nullable=True),
        sa.Column("phone_masked", sa.String(length=30), nullable=False),
        sa.Column("email", sa.String(length=120), nullable=True),
        sa.Column("region", sa.String(length=60), nullable=False),
        sa.Column("source", sa.String(length=40), nullable=False),
        sa.Column("remark", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.String(length=36), nullable=True),
        sa.Column("updated_by_id", sa.String(length=36), nullable=True),
        sa.Column("deleted_at", UtcDateTime(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name_key", sa.String(length=200), nullable=False),
        sa.Column("company_key", sa.String(length=200), nullable=False),
        sa.Column("search_text", sa.String(length=1000), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "owner_id"],
            ["crm_users.tenant_id", "crm_users.id"],
            name=op.f("fk_crm_customers_tenant_id_owner_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "updated_by_id"],
            ["crm_users.tenant_id", "crm_users.id"],
            name=op.f("fk_crm_customers_tenant_id_updated_by_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_customers_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_customers")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_crm_customers_tenant_id_id")),
        **_EXACT,
    )
    op.create_index(op.f("ix_crm_customers_owner_id"), "crm_customers", ["owner_id"], unique=False)
    op.create_index("ix_crm_customers_tenant_changed", "crm_customers", ["tenant_id", "updated_at", "id"], unique=False)
    op.create_index("ix_crm_customers_tenant_company", "crm_customers", ["tenant_id", "company_key"], unique=False)
    op.create_index("ix_crm_customers_tenant_deleted", "crm_customers", ["tenant_id", "deleted_at"], unique=False)
    op.create_index(op.f("ix_crm_customers_tenant_id"), "crm_customers", ["tenant_id"], unique=False)
    op.create_index("ix_crm_customers_tenant_name", "crm_customers", ["tenant_id", "name_key", "id"], unique=False)
    op.create_index(
        "ix_crm_customers_tenant_owner", "crm_customers", ["tenant_id", "owner_id", "updated_at", "id"], unique=False
    )
    op.create_index("ix_crm_customers_tenant_phone", "crm_customers", ["tenant_id", "phone_index"], unique=False)
    op.create_index(op.f("ix_crm_customers_updated_by_id"), "crm_customers", ["updated_by_id"], unique=False)


def downgrade() -> None:
    op.drop_table("crm_customers")
    op.drop_table("payment_refunds")
    op.drop_table("crm_users")
    op.drop_table("tenants")
    op.drop_table("payment_transactions")
    op.drop_table("licenses")
    op.drop_table("delivery_steps")
    op.drop_table("purchase_orders")
    op.drop_table("outbox_tasks")
    op.drop_table("customer_people")
    op.drop_table("accepted_terms")
    op.drop_table("website_customers")
    op.drop_table("transitions")
    op.drop_table("staff_logins")
    op.drop_table("staff_alerts")
    op.drop_table("staff")
    op.drop_table("sms_codes")
    op.drop_table("releases")
    op.drop_table("quotas")
    op.drop_table("payment_cases")
    op.drop_table("packages")
    op.drop_table("outbox_events")
    op.drop_table("messages")
    op.drop_table("login_tokens")
    op.drop_table("gateway_notices")
    op.drop_table("gateway_certificates")
    op.drop_table("durations")
