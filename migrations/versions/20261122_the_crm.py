"""The CRM: every table of leads, customers, activities, rights, audit, capture and imports, as the models have them.

Customers and users that are there keep what they have: each user's role becomes one of the tenant's five shipped roles.
What customers are found by is written by ``flask prepare`` afterwards, for it needs the field keys.

Revision: 0002
After: 0001
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

import sqlalchemy as sa
import uuid_utils
from alembic import op

from app.core import rls
from app.core.crypto import EncryptedJSON, EncryptedText
from app.core.db import Money, UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# MySQL's and MariaDB's usual collations take "a" and "A" for one; a code, a token, a number is what it is.
_EXACT = {
    f"{dialect}_{option}": value
    for dialect in ("mysql", "mariadb")
    for option, value in (("charset", "utf8mb4"), ("collate", "utf8mb4_bin"))
}

# What is searched by, on each database's own index
_SEARCH = {
    'postgresql': (
        "CREATE INDEX ix_search_entries_terms ON search_entries USING gin (array_to_tsvector(string_to_array(terms, ' ')))",
    ),
    'mariadb': (
        'CREATE FULLTEXT INDEX ix_search_entries_terms ON search_entries (terms)',
    ),
    'sqlite': (
        "CREATE VIRTUAL TABLE search_entries_fts USING fts5(terms, content='search_entries', content_rowid='rowid', prefix='9 10 11')",
        'CREATE TRIGGER search_entries_added AFTER INSERT ON search_entries BEGIN INSERT INTO search_entries_fts(rowid, terms) VALUES (new.rowid, new.terms); END',
        "CREATE TRIGGER search_entries_gone AFTER DELETE ON search_entries BEGIN INSERT INTO search_entries_fts(search_entries_fts, rowid, terms) VALUES ('delete', old.rowid, old.terms); END",
        "CREATE TRIGGER search_entries_changed AFTER UPDATE OF terms ON search_entries BEGIN INSERT INTO search_entries_fts(search_entries_fts, rowid, terms) VALUES ('delete', old.rowid, old.terms); INSERT INTO search_entries_fts(rowid, terms) VALUES (new.rowid, new.terms); END",
    ),
}  # fmt: skip

# Rows of the audit trail are only ever added
_AUDIT = {
    'postgresql': (
        "CREATE FUNCTION crm_audit_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF TG_OP = 'UPDATE' AND OLD.hash IS NULL AND NEW.tenant_id::text IS NOT DISTINCT FROM OLD.tenant_id::text AND NEW.actor_kind::text IS NOT DISTINCT FROM OLD.actor_kind::text AND NEW.actor_id::text IS NOT DISTINCT FROM OLD.actor_id::text AND NEW.actor_name::text IS NOT DISTINCT FROM OLD.actor_name::text AND NEW.on_behalf_of::text IS NOT DISTINCT FROM OLD.on_behalf_of::text AND NEW.action::text IS NOT DISTINCT FROM OLD.action::text AND NEW.entity::text IS NOT DISTINCT FROM OLD.entity::text AND NEW.entity_id::text IS NOT DISTINCT FROM OLD.entity_id::text AND NEW.label::text IS NOT DISTINCT FROM OLD.label::text AND NEW.changes::text IS NOT DISTINCT FROM OLD.changes::text AND NEW.reason::text IS NOT DISTINCT FROM OLD.reason::text AND NEW.batch_id::text IS NOT DISTINCT FROM OLD.batch_id::text AND NEW.request_id::text IS NOT DISTINCT FROM OLD.request_id::text AND NEW.address::text IS NOT DISTINCT FROM OLD.address::text AND NEW.agent::text IS NOT DISTINCT FROM OLD.agent::text AND NEW.session::text IS NOT DISTINCT FROM OLD.session::text AND NEW.id::text IS NOT DISTINCT FROM OLD.id::text AND NEW.created_at::text IS NOT DISTINCT FROM OLD.created_at::text THEN RETURN NEW; END IF; IF TG_OP = 'DELETE' AND OLD.day < CURRENT_DATE - 180 AND EXISTS (SELECT 1 FROM crm_audit_archives AS kept WHERE kept.tenant_id = OLD.tenant_id AND OLD.day BETWEEN kept.first_day AND kept.last_day) THEN RETURN OLD; END IF; RAISE EXCEPTION 'rows of crm_audit_events are only added'; END $$",
        'CREATE TRIGGER crm_audit_events_kept BEFORE UPDATE OR DELETE ON crm_audit_events FOR EACH ROW EXECUTE FUNCTION crm_audit_kept()',
        'CREATE TRIGGER crm_audit_events_whole BEFORE TRUNCATE ON crm_audit_events FOR EACH STATEMENT EXECUTE FUNCTION crm_audit_kept()',
    ),
    'mariadb': (
        "CREATE TRIGGER crm_audit_events_kept BEFORE UPDATE ON crm_audit_events FOR EACH ROW IF OLD.hash IS NOT NULL OR NOT (NEW.`tenant_id` <=> OLD.`tenant_id`) OR NOT (NEW.`actor_kind` <=> OLD.`actor_kind`) OR NOT (NEW.`actor_id` <=> OLD.`actor_id`) OR NOT (NEW.`actor_name` <=> OLD.`actor_name`) OR NOT (NEW.`on_behalf_of` <=> OLD.`on_behalf_of`) OR NOT (NEW.`action` <=> OLD.`action`) OR NOT (NEW.`entity` <=> OLD.`entity`) OR NOT (NEW.`entity_id` <=> OLD.`entity_id`) OR NOT (NEW.`label` <=> OLD.`label`) OR NOT (NEW.`changes` <=> OLD.`changes`) OR NOT (NEW.`reason` <=> OLD.`reason`) OR NOT (NEW.`batch_id` <=> OLD.`batch_id`) OR NOT (NEW.`request_id` <=> OLD.`request_id`) OR NOT (NEW.`address` <=> OLD.`address`) OR NOT (NEW.`agent` <=> OLD.`agent`) OR NOT (NEW.`session` <=> OLD.`session`) OR NOT (NEW.`id` <=> OLD.`id`) OR NOT (NEW.`created_at` <=> OLD.`created_at`) THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'rows of crm_audit_events are only added'; END IF",
        "CREATE TRIGGER crm_audit_events_whole BEFORE DELETE ON crm_audit_events FOR EACH ROW IF OLD.day IS NULL OR OLD.day >= CURRENT_DATE - INTERVAL 180 DAY OR NOT EXISTS (SELECT 1 FROM crm_audit_archives AS kept WHERE kept.tenant_id = OLD.tenant_id AND OLD.day BETWEEN kept.first_day AND kept.last_day) THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'rows of crm_audit_events are only added'; END IF",
    ),
    'sqlite': (
        "CREATE TRIGGER crm_audit_events_kept BEFORE UPDATE ON crm_audit_events WHEN OLD.hash IS NOT NULL OR NEW.tenant_id IS NOT OLD.tenant_id OR NEW.actor_kind IS NOT OLD.actor_kind OR NEW.actor_id IS NOT OLD.actor_id OR NEW.actor_name IS NOT OLD.actor_name OR NEW.on_behalf_of IS NOT OLD.on_behalf_of OR NEW.action IS NOT OLD.action OR NEW.entity IS NOT OLD.entity OR NEW.entity_id IS NOT OLD.entity_id OR NEW.label IS NOT OLD.label OR NEW.changes IS NOT OLD.changes OR NEW.reason IS NOT OLD.reason OR NEW.batch_id IS NOT OLD.batch_id OR NEW.request_id IS NOT OLD.request_id OR NEW.address IS NOT OLD.address OR NEW.agent IS NOT OLD.agent OR NEW.session IS NOT OLD.session OR NEW.id IS NOT OLD.id OR NEW.created_at IS NOT OLD.created_at BEGIN SELECT RAISE(ABORT, 'rows of crm_audit_events are only added'); END",
        "CREATE TRIGGER crm_audit_events_whole BEFORE DELETE ON crm_audit_events WHEN OLD.day IS NULL OR OLD.day >= date('now', '-180 days') OR NOT EXISTS (SELECT 1 FROM crm_audit_archives AS kept WHERE kept.tenant_id = OLD.tenant_id AND OLD.day BETWEEN kept.first_day AND kept.last_day) BEGIN SELECT RAISE(ABORT, 'rows of crm_audit_events are only added'); END",
    ),
}  # fmt: skip
_AUDIT_AWAY = {
    'postgresql': ('DROP TRIGGER IF EXISTS crm_audit_events_whole ON crm_audit_events', 'DROP TRIGGER IF EXISTS crm_audit_events_kept ON crm_audit_events', 'DROP FUNCTION IF EXISTS crm_audit_kept()'),
    'other': ('DROP TRIGGER IF EXISTS crm_audit_events_whole', 'DROP TRIGGER IF EXISTS crm_audit_events_kept'),
}  # fmt: skip

# Behind PostgreSQL's row-level security
_WALLED = (
    'crm_anomaly_settings',
    'crm_api_answers',
    'crm_api_keys',
    'crm_arrivals',
    'crm_assign_cursors',
    'crm_assign_logs',
    'crm_assign_members',
    'crm_assign_rules',
    'crm_assign_versions',
    'crm_attachments',
    'crm_audit_archives',
    'crm_audit_cases',
    'crm_audit_events',
    'crm_audit_seals',
    'crm_behaviour',
    'crm_bulk_runs',
    'crm_calendar_days',
    'crm_capacities',
    'crm_channel_calls',
    'crm_channel_people',
    'crm_channels',
    'crm_collaborators',
    'crm_comments',
    'crm_communications',
    'crm_contacts',
    'crm_custom_fields',
    'crm_customers',
    'crm_departments',
    'crm_exports',
    'crm_import_jobs',
    'crm_import_mappings',
    'crm_import_rows',
    'crm_known_origins',
    'crm_lead_form_days',
    'crm_lead_forms',
    'crm_lead_steps',
    'crm_leads',
    'crm_notices',
    'crm_operation_rows',
    'crm_operations',
    'crm_page_views',
    'crm_plan_steps',
    'crm_plan_templates',
    'crm_plans',
    'crm_pool_events',
    'crm_pool_members',
    'crm_pools',
    'crm_recent_records',
    'crm_record_tags',
    'crm_recycle_rules',
    'crm_reminder_choices',
    'crm_reminders',
    'crm_rights_history',
    'crm_roles',
    'crm_saved_views',
    'crm_score_entries',
    'crm_score_manual',
    'crm_score_models',
    'crm_sharing_rules',
    'crm_storage_use',
    'crm_tasks',
    'crm_timeline',
    'crm_user_loads',
    'crm_user_roles',
    'crm_users',
    'search_entries',
)  # fmt: skip
_MINE = "current_setting('app.tenant_id', true)"

# key, name, what it is for, rights, field rights
_ROLES = [('admin',
  '管理员',
  '看得到、改得了全部内容，并管理用户、角色和规则',
  {'lead': {'read': 'all',
            'create': 'all',
            'edit': 'all',
            'delete': 'all',
            'export': 'all',
            'import': 'all',
            'transfer': 'all',
            'claim': 'all',
            'merge': 'all',
            'unmask': 'all',
            'share': 'all'},
   'customer': {'read': 'all',
                'create': 'all',
                'edit': 'all',
                'delete': 'all',
                'export': 'all',
                'import': 'all',
                'transfer': 'all',
                'claim': 'all',
                'merge': 'all',
                'unmask': 'all',
                'share': 'all'},
   'contact': {'read': 'all',
               'create': 'all',
               'edit': 'all',
               'delete': 'all',
               'export': 'all',
               'import': 'all',
               'transfer': 'all',
               'claim': 'all',
               'merge': 'all',
               'unmask': 'all',
               'share': 'all'},
   'communication': {'read': 'all',
                     'create': 'all',
                     'edit': 'all',
                     'delete': 'all',
                     'export': 'all',
                     'import': 'all',
                     'transfer': 'all',
                     'claim': 'all',
                     'merge': 'all',
                     'unmask': 'all',
                     'share': 'all'},
   'task': {'read': 'all',
            'create': 'all',
            'edit': 'all',
            'delete': 'all',
            'export': 'all',
            'import': 'all',
            'transfer': 'all',
            'claim': 'all',
            'merge': 'all',
            'unmask': 'all',
            'share': 'all'},
   'plan': {'read': 'all',
            'create': 'all',
            'edit': 'all',
            'delete': 'all',
            'export': 'all',
            'import': 'all',
            'transfer': 'all',
            'claim': 'all',
            'merge': 'all',
            'unmask': 'all',
            'share': 'all'},
   'settings': {'read': 'all', 'edit': 'all'}},
  {}),
 ('manager',
  '销售主管',
  '管本部门和下级部门的线索、客户和任务，可以分配、转移、合并',
  {'lead': {'read': 'tree',
            'create': 'tree',
            'edit': 'tree',
            'delete': 'tree',
            'export': 'tree',
            'import': 'all',
            'transfer': 'tree',
            'claim': 'tree',
            'merge': 'tree',
            'unmask': 'tree',
            'share': 'tree'},
   'customer': {'read': 'tree',
                'create': 'tree',
                'edit': 'tree',
                'delete': 'tree',
                'export': 'tree',
                'import': 'tree',
                'transfer': 'tree',
                'claim': 'tree',
                'merge': 'tree',
                'unmask': 'tree',
                'share': 'tree'},
   'contact': {'read': 'tree',
               'create': 'tree',
               'edit': 'tree',
               'delete': 'tree',
               'export': 'tree',
               'import': 'tree',
               'transfer': 'tree',
               'claim': 'tree',
               'merge': 'tree',
               'unmask': 'tree',
               'share': 'tree'},
   'communication': {'read': 'tree',
                     'create': 'tree',
                     'edit': 'tree',
                     'delete': 'tree',
                     'export': 'tree',
                     'import': 'tree',
                     'transfer': 'tree',
                     'claim': 'tree',
                     'merge': 'tree',
                     'unmask': 'tree',
                     'share': 'tree'},
   'task': {'read': 'tree',
            'create': 'tree',
            'edit': 'tree',
            'delete': 'tree',
            'export': 'tree',
            'import': 'tree',
            'transfer': 'tree',
            'claim': 'tree',
            'merge': 'tree',
            'unmask': 'tree',
            'share': 'tree'},
   'plan': {'read': 'tree',
            'create': 'tree',
            'edit': 'tree',
            'delete': 'tree',
            'export': 'tree',
            'import': 'tree',
            'transfer': 'tree',
            'claim': 'tree',
            'merge': 'tree',
            'unmask': 'tree',
            'share': 'tree'}},
  {}),
 ('sales',
  '销售',
  '跟进自己的线索和客户，可以领取公海里的线索',
  {'lead': {'read': 'own',
            'create': 'own',
            'edit': 'own',
            'delete': 'own',
            'transfer': 'own',
            'claim': 'own',
            'unmask': 'own',
            'share': 'own'},
   'customer': {'read': 'own',
                'create': 'own',
                'edit': 'own',
                'delete': 'own',
                'transfer': 'own',
                'claim': 'own',
                'unmask': 'own',
                'share': 'own'},
   'contact': {'read': 'own',
               'create': 'own',
               'edit': 'own',
               'delete': 'own',
               'transfer': 'own',
               'claim': 'own',
               'unmask': 'own',
               'share': 'own'},
   'communication': {'read': 'own',
                     'create': 'own',
                     'edit': 'own',
                     'delete': 'own',
                     'transfer': 'own',
                     'claim': 'own',
                     'unmask': 'own',
                     'share': 'own'},
   'task': {'read': 'own',
            'create': 'own',
            'edit': 'own',
            'delete': 'own',
            'transfer': 'own',
            'claim': 'own',
            'unmask': 'own',
            'share': 'own'},
   'plan': {'read': 'own',
            'create': 'own',
            'edit': 'own',
            'delete': 'own',
            'transfer': 'own',
            'claim': 'own',
            'unmask': 'own',
            'share': 'own'}},
  {}),
 ('marketing',
  '市场',
  '录入、导入和分发线索，看得到全部线索，号码打码',
  {'lead': {'read': 'all',
            'create': 'all',
            'edit': 'all',
            'export': 'all',
            'import': 'all',
            'transfer': 'all',
            'merge': 'all',
            'share': 'all'},
   'customer': {'read': 'all'},
   'contact': {'read': 'all'},
   'communication': {'read': 'all', 'create': 'all'},
   'task': {'read': 'own', 'create': 'own', 'edit': 'own', 'delete': 'own'},
   'plan': {'read': 'all'}},
  {'customer': {'phone': 'masked'}, 'contact': {'phone': 'masked'}}),
 ('readonly',
  '只读',
  '看得到全部内容，不能修改，号码打码',
  {'lead': {'read': 'all'},
   'customer': {'read': 'all'},
   'contact': {'read': 'all'},
   'communication': {'read': 'all'},
   'task': {'read': 'all'},
   'plan': {'read': 'all'}},
  {'lead': {'phone': 'masked'}, 'customer': {'phone': 'masked'}, 'contact': {'phone': 'masked'}})]  # fmt: skip


def _databases_own(statements: dict[str, tuple[str, ...]]) -> None:
    name = op.get_bind().dialect.name
    for statement in statements["mariadb" if name in {"mysql", "mariadb"} else name]:
        op.get_bind().exec_driver_sql(statement.replace("%", "%%") if name != "sqlite" else statement)


def _build_walls() -> None:
    for table in _WALLED:
        op.execute(f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY')
        op.execute(f'ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY')
        op.execute(sa.text(f"CREATE POLICY tenant_wall ON \"{table}\" USING (tenant_id = {_MINE} OR {_MINE} = '*')"))


def _tear_down_walls() -> None:
    for table in _WALLED:
        op.execute(f'DROP POLICY IF EXISTS tenant_wall ON "{table}"')
        op.execute(f'ALTER TABLE "{table}" NO FORCE ROW LEVEL SECURITY')
        op.execute(f'ALTER TABLE "{table}" DISABLE ROW LEVEL SECURITY')


def _give_roles() -> None:
    """Each tenant gets the five shipped roles, each user the one that his word named."""
    connection, now = op.get_bind(), datetime.now(UTC)
    users = sa.table("crm_users", *(sa.column(name) for name in ("id", "tenant_id", "role")))
    roles = sa.table(
        "crm_roles",
        *(sa.column(name) for name in ("id", "tenant_id", "key", "name", "description", "is_shipped", "rights", "fields")),
        sa.column("created_at", UtcDateTime()), sa.column("updated_at", UtcDateTime()),
    )  # fmt: skip
    theirs = sa.table(
        "crm_user_roles", *(sa.column(name) for name in ("id", "tenant_id", "user_id", "role_id")), sa.column("created_at", UtcDateTime())
    )  # fmt: skip
    ids: dict[tuple[str, str], str] = {}
    for user in connection.execute(sa.select(users.c.id, users.c.tenant_id, users.c.role)).all():
        for key, name, description, rights, fields in _ROLES:
            if (user.tenant_id, key) in ids:
                continue
            ids[user.tenant_id, key] = role_id = str(uuid_utils.uuid7())
            row = {
                "id": role_id, "tenant_id": user.tenant_id, "key": key, "name": name, "description": description, "is_shipped": True,
                "rights": json.dumps(rights), "fields": json.dumps(fields), "created_at": now, "updated_at": now,
            }  # fmt: skip
            connection.execute(roles.insert().values(row))
        role = ids.get((user.tenant_id, user.role), ids[user.tenant_id, "readonly"])
        row = {
            "id": str(uuid_utils.uuid7()),
            "tenant_id": user.tenant_id,
            "user_id": user.id,
            "role_id": role,
            "created_at": now,
        }
        connection.execute(theirs.insert().values(row))


def _give_words() -> None:
    """The way back: each user's role as a word, of several the widest."""
    connection = op.get_bind()
    users = sa.table("crm_users", sa.column("id"), sa.column("role"))
    rows = connection.execute(
        sa.text(
            "SELECT g.user_id, r.key FROM crm_user_roles g JOIN crm_roles r ON r.id = g.role_id".replace(
                "r.key", _quoted("r", "key")
            )
        )
    )
    ranked = [key for key, *_ in _ROLES]
    best: dict[str, str] = {}
    for user_id, key in rows:
        word = key if key in ranked else "sales"
        best[user_id] = min(best.get(user_id, word), word, key=ranked.index)
    for user_id, word in best.items():
        connection.execute(users.update().where(users.c.id == user_id).values(role=word))


def _quoted(table: str, column: str) -> str:
    return f"{table}.{op.get_bind().dialect.identifier_preparer.quote(column)}"


def upgrade() -> None:
    op.create_table(
        "capture_doors",
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("tenant", sa.String(length=36), nullable=False),
        sa.Column("subject_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_capture_doors")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_capture_doors_key_hash")),
        **_EXACT,
    )
    op.create_index("ix_capture_doors_subject_id", "capture_doors", ["subject_id"])
    op.create_index("ix_capture_doors_tenant", "capture_doors", ["tenant"])

    op.create_table(
        "crm_assign_logs",
        sa.Column("lead_id", sa.String(length=36), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("rule_id", sa.String(length=36), nullable=True),
        sa.Column("rule_version", sa.Integer(), nullable=True),
        sa.Column("rule_name", sa.String(length=60), nullable=False),
        sa.Column("strategy", sa.String(length=20), nullable=False),
        sa.Column("chosen", sa.String(length=36), nullable=True),
        sa.Column("pool_id", sa.String(length=36), nullable=True),
        sa.Column("candidates", sa.JSON(), nullable=False),
        sa.Column("trigger", sa.String(length=80), nullable=False),
        sa.Column("actor_id", sa.String(length=36), nullable=True),
        sa.Column("idem_key", sa.String(length=160), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_assign_logs_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_assign_logs")),
        sa.UniqueConstraint("idem_key", name=op.f("uq_crm_assign_logs_idem_key")),
        **_EXACT,
    )
    op.create_index("ix_crm_assign_logs_lead", "crm_assign_logs", ["tenant_id", "lead_id", "at"])
    op.create_index("ix_crm_assign_logs_rule", "crm_assign_logs", ["tenant_id", "rule_id", "at"])
    op.create_index("ix_crm_assign_logs_tenant_id", "crm_assign_logs", ["tenant_id"])

    op.create_table(
        "crm_assign_rules",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("filter_ast", sa.JSON(), nullable=False),
        sa.Column("strategy", sa.String(length=20), nullable=False),
        sa.Column("sticky", sa.Boolean(), nullable=False),
        sa.Column("hours_only", sa.Boolean(), nullable=False),
        sa.Column("hours_from", sa.Integer(), nullable=False),
        sa.Column("hours_to", sa.Integer(), nullable=False),
        sa.Column("fallback", sa.String(length=10), nullable=False),
        sa.Column("fallback_id", sa.String(length=36), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("is_changed", sa.Boolean(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_assign_rules_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_assign_rules")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_crm_assign_rules_tenant_id_id")),
        **_EXACT,
    )
    op.create_index("ix_crm_assign_rules_order", "crm_assign_rules", ["tenant_id", "enabled", "priority", "id"])
    op.create_index("ix_crm_assign_rules_tenant_id", "crm_assign_rules", ["tenant_id"])

    op.create_table(
        "crm_audit_cases",
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("subject", sa.String(length=60), nullable=False),
        sa.Column("text", sa.String(length=300), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("last_event_id", sa.String(length=36), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("live", sa.String(length=4), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("has_held", sa.Boolean(), nullable=False),
        sa.Column("closed_by_id", sa.String(length=36), nullable=True),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_audit_cases_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_audit_cases")),
        sa.UniqueConstraint(
            "tenant_id", "kind", "subject", "live", name=op.f("uq_crm_audit_cases_tenant_id_kind_subject_live")
        ),
        **_EXACT,
    )
    op.create_index("ix_crm_audit_cases_state", "crm_audit_cases", ["tenant_id", "state", "id"])
    op.create_index("ix_crm_audit_cases_tenant_id", "crm_audit_cases", ["tenant_id"])

    op.create_table(
        "crm_audit_events",
        sa.Column("actor_kind", sa.String(length=10), nullable=False),
        sa.Column("actor_id", sa.String(length=36), nullable=True),
        sa.Column("actor_name", sa.String(length=100), nullable=False),
        sa.Column("on_behalf_of", sa.String(length=36), nullable=True),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("entity", sa.String(length=40), nullable=False),
        sa.Column("entity_id", sa.String(length=36), nullable=False),
        sa.Column("label", sa.String(length=200), nullable=False),
        sa.Column("changes", sa.JSON(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("batch_id", sa.String(length=36), nullable=True),
        sa.Column("request_id", sa.String(length=40), nullable=False),
        sa.Column("address", sa.String(length=60), nullable=False),
        sa.Column("agent", sa.String(length=300), nullable=False),
        sa.Column("session", sa.String(length=40), nullable=False),
        sa.Column("day", sa.Date(), nullable=True),
        sa.Column("place", sa.Integer(), nullable=True),
        sa.Column("prev_hash", sa.String(length=64), nullable=True),
        sa.Column("hash", sa.String(length=64), nullable=True),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_audit_events_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_audit_events")),
        sa.UniqueConstraint("tenant_id", "day", "place", name=op.f("uq_crm_audit_events_tenant_id_day_place")),
        **_EXACT,
    )
    op.create_index("ix_crm_audit_events_action", "crm_audit_events", ["tenant_id", "action", "id"])
    op.create_index("ix_crm_audit_events_actor", "crm_audit_events", ["tenant_id", "actor_id", "id"])
    op.create_index("ix_crm_audit_events_batch_id", "crm_audit_events", ["batch_id"])
    op.create_index("ix_crm_audit_events_entity", "crm_audit_events", ["tenant_id", "entity_id", "id"])
    op.create_index("ix_crm_audit_events_kind", "crm_audit_events", ["tenant_id", "entity", "action", "id"])
    op.create_index("ix_crm_audit_events_tenant_id_id", "crm_audit_events", ["tenant_id", "id"])
    op.create_index("ix_crm_audit_events_unsealed", "crm_audit_events", ["hash", "tenant_id", "id"])

    op.create_table(
        "crm_audit_seals",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("head", sa.String(length=64), nullable=False),
        sa.Column("is_anchored", sa.Boolean(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_audit_seals_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_audit_seals")),
        sa.UniqueConstraint("tenant_id", "day", name=op.f("uq_crm_audit_seals_tenant_id_day")),
        **_EXACT,
    )
    op.create_index("ix_crm_audit_seals_day", "crm_audit_seals", ["day"])
    op.create_index("ix_crm_audit_seals_tenant_id", "crm_audit_seals", ["tenant_id"])

    op.create_table(
        "crm_behaviour",
        sa.Column("object", sa.String(length=40), nullable=False),
        sa.Column("record_id", sa.String(length=36), nullable=False),
        sa.Column("type", sa.String(length=30), nullable=False),
        sa.Column("object_id", sa.String(length=100), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("is_bot", sa.Boolean(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("unique", sa.String(length=64), nullable=True),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_behaviour_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_behaviour")),
        sa.UniqueConstraint("tenant_id", "unique", name="uq_crm_behaviour_unique"),
        **_EXACT,
    )
    op.create_index("ix_crm_behaviour_subject", "crm_behaviour", ["tenant_id", "record_id", "at", "id"])
    op.create_index("ix_crm_behaviour_tenant_id", "crm_behaviour", ["tenant_id"])

    op.create_table(
        "crm_capacities",
        sa.Column("subject_kind", sa.String(length=12), nullable=False),
        sa.Column("subject_id", sa.String(length=36), nullable=False),
        sa.Column("most", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_capacities_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_capacities")),
        sa.UniqueConstraint(
            "tenant_id", "subject_kind", "subject_id", name=op.f("uq_crm_capacities_tenant_id_subject_kind_subject_id")
        ),
        **_EXACT,
    )
    op.create_index("ix_crm_capacities_tenant_id", "crm_capacities", ["tenant_id"])

    op.create_table(
        "crm_channels",
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("token", sa.String(length=60), nullable=False),
        sa.Column("account", sa.String(length=60), nullable=False),
        sa.Column("secret", EncryptedText(), nullable=False),
        sa.Column("aes_key", EncryptedText(), nullable=True),
        sa.Column("mode", sa.String(length=10), nullable=False),
        sa.Column("campaign", sa.String(length=100), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("verified_at", UtcDateTime(), nullable=True),
        sa.Column("last_message_at", UtcDateTime(), nullable=True),
        sa.Column("last_refusal", sa.String(length=100), nullable=False),
        sa.Column("last_refused_at", UtcDateTime(), nullable=True),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_channels_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_channels")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_crm_channels_tenant_id_id")),
        **_EXACT,
    )
    op.create_index("ix_crm_channels_kind", "crm_channels", ["tenant_id", "kind"])
    op.create_index("ix_crm_channels_tenant_id", "crm_channels", ["tenant_id"])

    op.create_table(
        "crm_custom_fields",
        sa.Column("object", sa.String(length=40), nullable=False),
        sa.Column("key", sa.String(length=40), nullable=False),
        sa.Column("label", sa.String(length=60), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("choices", sa.JSON(), nullable=False),
        sa.Column("required", sa.Boolean(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("archived", sa.Boolean(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_custom_fields_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_custom_fields")),
        sa.UniqueConstraint("tenant_id", "object", "key", name=op.f("uq_crm_custom_fields_tenant_id_object_key")),
        **_EXACT,
    )
    op.create_index("ix_crm_custom_fields_tenant_id", "crm_custom_fields", ["tenant_id"])
    op.create_index("ix_crm_custom_fields_tenant_object", "crm_custom_fields", ["tenant_id", "object", "position"])

    op.create_table(
        "crm_departments",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("parent_id", sa.String(length=36), nullable=True),
        sa.Column("path", sa.String(length=400), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "parent_id"],
            ["crm_departments.tenant_id", "crm_departments.id"],
            name=op.f("fk_crm_departments_tenant_id_parent_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_departments_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_departments")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_crm_departments_tenant_id_id")),
        **_EXACT,
    )
    op.create_index("ix_crm_departments_tenant_id", "crm_departments", ["tenant_id"])
    op.create_index("ix_crm_departments_tenant_parent", "crm_departments", ["tenant_id", "parent_id"])

    op.create_table(
        "crm_import_mappings",
        sa.Column("object", sa.String(length=40), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("mapping", sa.JSON(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_import_mappings_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_import_mappings")),
        sa.UniqueConstraint(
            "tenant_id", "object", "fingerprint", name=op.f("uq_crm_import_mappings_tenant_id_object_fingerprint")
        ),
        **_EXACT,
    )
    op.create_index("ix_crm_import_mappings_tenant_id", "crm_import_mappings", ["tenant_id"])

    op.create_table(
        "crm_lead_forms",
        sa.Column("token", sa.String(length=60), nullable=False),
        sa.Column("mode", sa.String(length=10), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("title", sa.String(length=100), nullable=False),
        sa.Column("intro", sa.String(length=500), nullable=False),
        sa.Column("button", sa.String(length=20), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.Column("consent", sa.String(length=300), nullable=False),
        sa.Column("consent_link", sa.String(length=300), nullable=False),
        sa.Column("consent_version", sa.Integer(), nullable=False),
        sa.Column("thanks", sa.String(length=500), nullable=False),
        sa.Column("redirect", sa.String(length=300), nullable=False),
        sa.Column("source", sa.String(length=30), nullable=False),
        sa.Column("campaign", sa.String(length=100), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("origins", sa.JSON(), nullable=False),
        sa.Column("puzzle", sa.String(length=10), nullable=False),
        sa.Column("place", sa.String(length=100), nullable=False),
        sa.Column("day", sa.Date(), nullable=True),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("archived_at", UtcDateTime(), nullable=True),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_lead_forms_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_lead_forms")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_crm_lead_forms_tenant_id_id")),
        **_EXACT,
    )
    op.create_index("ix_crm_lead_forms_live", "crm_lead_forms", ["tenant_id", "archived_at", "id"])
    op.create_index("ix_crm_lead_forms_tenant_id", "crm_lead_forms", ["tenant_id"])

    op.create_table(
        "crm_operations",
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("label", sa.String(length=200), nullable=False),
        sa.Column("actor_id", sa.String(length=36), nullable=True),
        sa.Column("undone_at", UtcDateTime(), nullable=True),
        sa.Column("undone_by_id", sa.String(length=36), nullable=True),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_operations_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_operations")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_crm_operations_tenant_id_id")),
        **_EXACT,
    )
    op.create_index("ix_crm_operations_tenant_actor", "crm_operations", ["tenant_id", "actor_id", "id"])
    op.create_index("ix_crm_operations_tenant_id", "crm_operations", ["tenant_id"])

    op.create_table(
        "crm_plan_templates",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("goal", sa.String(length=200), nullable=False),
        sa.Column("steps", sa.JSON(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_plan_templates_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_plan_templates")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_crm_plan_templates_tenant_id_id")),
        sa.UniqueConstraint("tenant_id", "name", name=op.f("uq_crm_plan_templates_tenant_id_name")),
        **_EXACT,
    )
    op.create_index("ix_crm_plan_templates_tenant_id", "crm_plan_templates", ["tenant_id"])

    op.create_table(
        "crm_pool_events",
        sa.Column("pool_id", sa.String(length=36), nullable=False),
        sa.Column("lead_id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=True),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("by_id", sa.String(length=36), nullable=True),
        sa.Column("reason", sa.String(length=300), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_pool_events_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_pool_events")),
        **_EXACT,
    )
    op.create_index("ix_crm_pool_events_lead", "crm_pool_events", ["tenant_id", "lead_id", "kind", "created_at"])
    op.create_index("ix_crm_pool_events_tenant_id", "crm_pool_events", ["tenant_id"])
    op.create_index(
        "ix_crm_pool_events_user_day", "crm_pool_events", ["tenant_id", "pool_id", "user_id", "kind", "day"]
    )

    op.create_table(
        "crm_pools",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("description", sa.String(length=300), nullable=False),
        sa.Column("default_key", sa.String(length=36), nullable=True),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.Column("claims_per_day", sa.Integer(), nullable=True),
        sa.Column("views_per_day", sa.Integer(), nullable=True),
        sa.Column("freeze_hours", sa.Integer(), nullable=False),
        sa.Column("again_after_days", sa.Integer(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_pools_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_pools")),
        sa.UniqueConstraint("default_key", name=op.f("uq_crm_pools_default_key")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_crm_pools_tenant_id_id")),
        **_EXACT,
    )
    op.create_index("ix_crm_pools_tenant_id", "crm_pools", ["tenant_id"])
    op.create_index("ix_crm_pools_tenant_name", "crm_pools", ["tenant_id", "name"])

    op.create_table(
        "crm_record_tags",
        sa.Column("object", sa.String(length=40), nullable=False),
        sa.Column("record_id", sa.String(length=36), nullable=False),
        sa.Column("tag", sa.String(length=30), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_record_tags_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_record_tags")),
        sa.UniqueConstraint("record_id", "tag", name=op.f("uq_crm_record_tags_record_id_tag")),
        **_EXACT,
    )
    op.create_index("ix_crm_record_tags_tag", "crm_record_tags", ["tenant_id", "object", "tag", "record_id"])
    op.create_index("ix_crm_record_tags_tenant_id", "crm_record_tags", ["tenant_id"])

    op.create_table(
        "crm_roles",
        sa.Column("key", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("description", sa.String(length=300), nullable=False),
        sa.Column("is_shipped", sa.Boolean(), nullable=False),
        sa.Column("rights", sa.JSON(), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_roles_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_roles")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_crm_roles_tenant_id_id")),
        sa.UniqueConstraint("tenant_id", "key", name=op.f("uq_crm_roles_tenant_id_key")),
        **_EXACT,
    )
    op.create_index("ix_crm_roles_tenant_id", "crm_roles", ["tenant_id"])

    op.create_table(
        "crm_score_models",
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("rules", sa.JSON(), nullable=False),
        sa.Column("groups", sa.JSON(), nullable=False),
        sa.Column("threshold", sa.Integer(), nullable=False),
        sa.Column("published_by_id", sa.String(length=36), nullable=True),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_score_models_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_score_models")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_crm_score_models_tenant_id_id")),
        sa.UniqueConstraint("tenant_id", "version", name=op.f("uq_crm_score_models_tenant_id_version")),
        **_EXACT,
    )
    op.create_index("ix_crm_score_models_tenant_id", "crm_score_models", ["tenant_id"])

    op.create_table(
        "crm_storage_use",
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_storage_use_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_storage_use")),
        sa.UniqueConstraint("tenant_id", name=op.f("uq_crm_storage_use_tenant_id")),
        **_EXACT,
    )
    op.create_index("ix_crm_storage_use_tenant_id", "crm_storage_use", ["tenant_id"])

    op.create_table(
        "crm_timeline",
        sa.Column("object", sa.String(length=40), nullable=False),
        sa.Column("record_id", sa.String(length=36), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("group", sa.String(length=10), nullable=False),
        sa.Column("actor_id", sa.String(length=36), nullable=True),
        sa.Column("ref_id", sa.String(length=36), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_timeline_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_timeline")),
        **_EXACT,
    )
    op.create_index("ix_crm_timeline_record", "crm_timeline", ["tenant_id", "record_id", "at", "id"])
    op.create_index("ix_crm_timeline_ref", "crm_timeline", ["tenant_id", "ref_id"])
    op.create_index("ix_crm_timeline_tenant_id", "crm_timeline", ["tenant_id"])

    op.create_table(
        "search_entries",
        sa.Column("object", sa.String(length=40), nullable=False),
        sa.Column("record_id", sa.String(length=36), nullable=False),
        sa.Column("terms", sa.Text(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_search_entries_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_search_entries")),
        sa.UniqueConstraint("record_id", name=op.f("uq_search_entries_record_id")),
        **_EXACT,
    )
    op.create_index("ix_search_entries_tenant_id", "search_entries", ["tenant_id"])
    op.create_index("ix_search_entries_tenant_object", "search_entries", ["tenant_id", "object"])

    op.create_table(
        "crm_arrivals",
        sa.Column("unique", sa.String(length=64), nullable=False),
        sa.Column("type", sa.String(length=30), nullable=False),
        sa.Column("form_id", sa.String(length=36), nullable=True),
        sa.Column("channel_id", sa.String(length=36), nullable=True),
        sa.Column("values", EncryptedJSON(), nullable=False),
        sa.Column("consent", sa.Text(), nullable=False),
        sa.Column("consent_version", sa.Integer(), nullable=False),
        sa.Column("consent_at", UtcDateTime(), nullable=True),
        sa.Column("address", EncryptedText(), nullable=True),
        sa.Column("object", sa.String(length=40), nullable=False),
        sa.Column("record_id", sa.String(length=36), nullable=False),
        sa.Column("outcome", sa.String(length=10), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "form_id"],
            ["crm_lead_forms.tenant_id", "crm_lead_forms.id"],
            name=op.f("fk_crm_arrivals_tenant_id_form_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_arrivals_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_arrivals")),
        sa.UniqueConstraint("tenant_id", "unique", name=op.f("uq_crm_arrivals_tenant_id_unique")),
        **_EXACT,
    )
    op.create_index("ix_crm_arrivals_channel_id", "crm_arrivals", ["channel_id"])
    op.create_index("ix_crm_arrivals_form", "crm_arrivals", ["tenant_id", "form_id", "id"])
    op.create_index("ix_crm_arrivals_record", "crm_arrivals", ["tenant_id", "record_id", "id"])
    op.create_index("ix_crm_arrivals_tenant_id", "crm_arrivals", ["tenant_id"])

    op.create_table(
        "crm_assign_cursors",
        sa.Column("rule_id", sa.String(length=36), nullable=False),
        sa.Column("last_pos", sa.Integer(), nullable=False),
        sa.Column("swrr_state", sa.JSON(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "rule_id"],
            ["crm_assign_rules.tenant_id", "crm_assign_rules.id"],
            name=op.f("fk_crm_assign_cursors_tenant_id_rule_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_assign_cursors_tenant_id")),
        sa.PrimaryKeyConstraint("rule_id", name=op.f("pk_crm_assign_cursors")),
        **_EXACT,
    )
    op.create_index("ix_crm_assign_cursors_tenant_id", "crm_assign_cursors", ["tenant_id"])

    op.create_table(
        "crm_assign_versions",
        sa.Column("rule_id", sa.String(length=36), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("published_by_id", sa.String(length=36), nullable=True),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "rule_id"],
            ["crm_assign_rules.tenant_id", "crm_assign_rules.id"],
            name=op.f("fk_crm_assign_versions_tenant_id_rule_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_assign_versions_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_assign_versions")),
        sa.UniqueConstraint("rule_id", "version", name=op.f("uq_crm_assign_versions_rule_id_version")),
        **_EXACT,
    )
    op.create_index("ix_crm_assign_versions_rule", "crm_assign_versions", ["tenant_id", "rule_id", "version"])
    op.create_index("ix_crm_assign_versions_tenant_id", "crm_assign_versions", ["tenant_id"])

    op.create_table(
        "crm_channel_calls",
        sa.Column("channel_id", sa.String(length=36), nullable=False),
        sa.Column("signature", sa.String(length=64), nullable=False),
        sa.Column("body_hash", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "channel_id"],
            ["crm_channels.tenant_id", "crm_channels.id"],
            name=op.f("fk_crm_channel_calls_tenant_id_channel_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_channel_calls_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_channel_calls")),
        sa.UniqueConstraint("channel_id", "signature", name=op.f("uq_crm_channel_calls_channel_id_signature")),
        **_EXACT,
    )
    op.create_index("ix_crm_channel_calls_channel", "crm_channel_calls", ["tenant_id", "channel_id", "id"])
    op.create_index("ix_crm_channel_calls_tenant_id", "crm_channel_calls", ["tenant_id"])

    op.create_table(
        "crm_channel_people",
        sa.Column("channel_id", sa.String(length=36), nullable=False),
        sa.Column("external_id", sa.String(length=64), nullable=False),
        sa.Column("nickname", sa.String(length=100), nullable=False),
        sa.Column("is_following", sa.Boolean(), nullable=False),
        sa.Column("object", sa.String(length=40), nullable=False),
        sa.Column("record_id", sa.String(length=36), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "channel_id"],
            ["crm_channels.tenant_id", "crm_channels.id"],
            name=op.f("fk_crm_channel_people_tenant_id_channel_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_channel_people_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_channel_people")),
        sa.UniqueConstraint("channel_id", "external_id", name=op.f("uq_crm_channel_people_channel_id_external_id")),
        **_EXACT,
    )
    op.create_index("ix_crm_channel_people_channel", "crm_channel_people", ["tenant_id", "channel_id"])
    op.create_index("ix_crm_channel_people_record", "crm_channel_people", ["tenant_id", "record_id"])
    op.create_index("ix_crm_channel_people_tenant_id", "crm_channel_people", ["tenant_id"])

    op.create_table(
        "crm_lead_form_days",
        sa.Column("form_id", sa.String(length=36), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("views", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "form_id"],
            ["crm_lead_forms.tenant_id", "crm_lead_forms.id"],
            name=op.f("fk_crm_lead_form_days_tenant_id_form_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_lead_form_days_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_lead_form_days")),
        sa.UniqueConstraint("form_id", "day", name=op.f("uq_crm_lead_form_days_form_id_day")),
        **_EXACT,
    )
    op.create_index("ix_crm_lead_form_days_form", "crm_lead_form_days", ["tenant_id", "form_id", "day"])
    op.create_index("ix_crm_lead_form_days_tenant_id", "crm_lead_form_days", ["tenant_id"])

    op.create_table(
        "crm_operation_rows",
        sa.Column("operation_id", sa.String(length=36), nullable=False),
        sa.Column("table_name", sa.String(length=60), nullable=False),
        sa.Column("record_id", sa.String(length=36), nullable=False),
        sa.Column("action", sa.String(length=10), nullable=False),
        sa.Column("before", EncryptedJSON(), nullable=False),
        sa.Column("after", EncryptedJSON(), nullable=False),
        sa.Column("result", sa.String(length=20), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "operation_id"],
            ["crm_operations.tenant_id", "crm_operations.id"],
            name=op.f("fk_crm_operation_rows_tenant_id_operation_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_operation_rows_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_operation_rows")),
        **_EXACT,
    )
    op.create_index("ix_crm_operation_rows_operation", "crm_operation_rows", ["tenant_id", "operation_id", "id"])
    op.create_index("ix_crm_operation_rows_record", "crm_operation_rows", ["tenant_id", "record_id", "id"])
    op.create_index("ix_crm_operation_rows_tenant_id", "crm_operation_rows", ["tenant_id"])

    op.create_table(
        "crm_pool_members",
        sa.Column("pool_id", sa.String(length=36), nullable=False),
        sa.Column("subject_kind", sa.String(length=12), nullable=False),
        sa.Column("subject_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "pool_id"],
            ["crm_pools.tenant_id", "crm_pools.id"],
            name=op.f("fk_crm_pool_members_tenant_id_pool_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_pool_members_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_pool_members")),
        sa.UniqueConstraint(
            "pool_id", "subject_kind", "subject_id", name=op.f("uq_crm_pool_members_pool_id_subject_kind_subject_id")
        ),
        **_EXACT,
    )
    op.create_index("ix_crm_pool_members_pool", "crm_pool_members", ["tenant_id", "pool_id"])
    op.create_index("ix_crm_pool_members_tenant_id", "crm_pool_members", ["tenant_id"])

    op.create_table(
        "crm_recycle_rules",
        sa.Column("pool_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("measure", sa.String(length=20), nullable=False),
        sa.Column("after_days", sa.Integer(), nullable=False),
        sa.Column("warn_days", sa.Integer(), nullable=False),
        sa.Column("filter_ast", sa.JSON(), nullable=False),
        sa.Column("into_pool_id", sa.String(length=36), nullable=True),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "pool_id"],
            ["crm_pools.tenant_id", "crm_pools.id"],
            name=op.f("fk_crm_recycle_rules_tenant_id_pool_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_recycle_rules_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_recycle_rules")),
        **_EXACT,
    )
    op.create_index("ix_crm_recycle_rules_pool", "crm_recycle_rules", ["tenant_id", "pool_id", "enabled"])
    op.create_index("ix_crm_recycle_rules_tenant_id", "crm_recycle_rules", ["tenant_id"])

    op.create_table(
        "crm_sharing_rules",
        sa.Column("object", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("role_id", sa.String(length=36), nullable=False),
        sa.Column("right", sa.String(length=10), nullable=False),
        sa.Column("tree", sa.JSON(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "role_id"],
            ["crm_roles.tenant_id", "crm_roles.id"],
            name=op.f("fk_crm_sharing_rules_tenant_id_role_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_sharing_rules_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_sharing_rules")),
        **_EXACT,
    )
    op.create_index("ix_crm_sharing_rules_object", "crm_sharing_rules", ["tenant_id", "object", "is_active"])
    op.create_index("ix_crm_sharing_rules_role", "crm_sharing_rules", ["tenant_id", "role_id"])
    op.create_index("ix_crm_sharing_rules_tenant_id", "crm_sharing_rules", ["tenant_id"])

    op.create_table(
        "crm_api_keys",
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("start", sa.String(length=12), nullable=False),
        sa.Column("may_write", sa.Boolean(), nullable=False),
        sa.Column("last_used_at", UtcDateTime(), nullable=True),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"],
            ["crm_users.tenant_id", "crm_users.id"],
            name=op.f("fk_crm_api_keys_tenant_id_user_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_api_keys_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_api_keys")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_crm_api_keys_tenant_id_id")),
        **_EXACT,
    )
    op.create_index("ix_crm_api_keys_tenant_id", "crm_api_keys", ["tenant_id"])
    op.create_index("ix_crm_api_keys_user", "crm_api_keys", ["tenant_id", "user_id"])

    op.create_table(
        "crm_assign_members",
        sa.Column("rule_id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("pos", sa.Integer(), nullable=False),
        sa.Column("weight", sa.Integer(), nullable=False),
        sa.Column("max_open", sa.Integer(), nullable=True),
        sa.Column("max_per_day", sa.Integer(), nullable=True),
        sa.Column("filter_ast", sa.JSON(), nullable=False),
        sa.Column("paused_until", UtcDateTime(), nullable=True),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "rule_id"],
            ["crm_assign_rules.tenant_id", "crm_assign_rules.id"],
            name=op.f("fk_crm_assign_members_tenant_id_rule_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"],
            ["crm_users.tenant_id", "crm_users.id"],
            name=op.f("fk_crm_assign_members_tenant_id_user_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_assign_members_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_assign_members")),
        sa.UniqueConstraint("rule_id", "user_id", name=op.f("uq_crm_assign_members_rule_id_user_id")),
        **_EXACT,
    )
    op.create_index("ix_crm_assign_members_rule", "crm_assign_members", ["tenant_id", "rule_id", "pos"])
    op.create_index("ix_crm_assign_members_tenant_id", "crm_assign_members", ["tenant_id"])
    op.create_index("ix_crm_assign_members_user", "crm_assign_members", ["tenant_id", "user_id"])

    op.create_table(
        "crm_attachments",
        sa.Column("object", sa.String(length=40), nullable=False),
        sa.Column("record_id", sa.String(length=36), nullable=False),
        sa.Column("ref_id", sa.String(length=36), nullable=True),
        sa.Column("author_id", sa.String(length=36), nullable=True),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("content_type", sa.String(length=100), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("deleted_at", UtcDateTime(), nullable=True),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "author_id"],
            ["crm_users.tenant_id", "crm_users.id"],
            name=op.f("fk_crm_attachments_tenant_id_author_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_attachments_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_attachments")),
        **_EXACT,
    )
    op.create_index("ix_crm_attachments_author", "crm_attachments", ["tenant_id", "author_id"])
    op.create_index("ix_crm_attachments_deleted", "crm_attachments", ["deleted_at"])
    op.create_index("ix_crm_attachments_record", "crm_attachments", ["tenant_id", "record_id", "deleted_at", "id"])
    op.create_index("ix_crm_attachments_ref", "crm_attachments", ["tenant_id", "ref_id"])
    op.create_index("ix_crm_attachments_tenant_id", "crm_attachments", ["tenant_id"])

    op.create_table(
        "crm_bulk_runs",
        sa.Column("object", sa.String(length=40), nullable=False),
        sa.Column("action", sa.String(length=30), nullable=False),
        sa.Column("actor_id", sa.String(length=36), nullable=False),
        sa.Column("operation_id", sa.String(length=36), nullable=True),
        sa.Column("label", sa.String(length=200), nullable=False),
        sa.Column("ids", sa.JSON(), nullable=False),
        sa.Column("everything", sa.Boolean(), nullable=False),
        sa.Column("tree", sa.JSON(), nullable=False),
        sa.Column("q", sa.String(length=100), nullable=False),
        sa.Column("values", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("place", sa.String(length=36), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("unchanged", sa.Integer(), nullable=False),
        sa.Column("refused", sa.Integer(), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("trouble", sa.Text(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "actor_id"],
            ["crm_users.tenant_id", "crm_users.id"],
            name=op.f("fk_crm_bulk_runs_tenant_id_actor_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_bulk_runs_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_bulk_runs")),
        **_EXACT,
    )
    op.create_index("ix_crm_bulk_runs_actor", "crm_bulk_runs", ["tenant_id", "actor_id", "id"])
    op.create_index("ix_crm_bulk_runs_tenant_id", "crm_bulk_runs", ["tenant_id"])

    op.create_table(
        "crm_collaborators",
        sa.Column("object", sa.String(length=40), nullable=False),
        sa.Column("record_id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("right", sa.String(length=10), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=True),
        sa.Column("added_by_id", sa.String(length=36), nullable=True),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"],
            ["crm_users.tenant_id", "crm_users.id"],
            name=op.f("fk_crm_collaborators_tenant_id_user_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_collaborators_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_collaborators")),
        sa.UniqueConstraint("record_id", "user_id", name=op.f("uq_crm_collaborators_record_id_user_id")),
        **_EXACT,
    )
    op.create_index("ix_crm_collaborators_tenant_id", "crm_collaborators", ["tenant_id"])
    op.create_index("ix_crm_collaborators_user", "crm_collaborators", ["tenant_id", "user_id", "object", "record_id"])

    op.create_table(
        "crm_comments",
        sa.Column("object", sa.String(length=40), nullable=False),
        sa.Column("record_id", sa.String(length=36), nullable=False),
        sa.Column("author_id", sa.String(length=36), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("mentioned", sa.JSON(), nullable=False),
        sa.Column("edited_at", UtcDateTime(), nullable=True),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "author_id"],
            ["crm_users.tenant_id", "crm_users.id"],
            name=op.f("fk_crm_comments_tenant_id_author_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_comments_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_comments")),
        **_EXACT,
    )
    op.create_index("ix_crm_comments_author", "crm_comments", ["tenant_id", "author_id"])
    op.create_index("ix_crm_comments_record", "crm_comments", ["tenant_id", "record_id", "id"])
    op.create_index("ix_crm_comments_tenant_id", "crm_comments", ["tenant_id"])

    op.create_table(
        "crm_exports",
        sa.Column("object", sa.String(length=40), nullable=False),
        sa.Column("actor_id", sa.String(length=36), nullable=False),
        sa.Column("format", sa.String(length=8), nullable=False),
        sa.Column("columns", sa.JSON(), nullable=False),
        sa.Column("tree", sa.JSON(), nullable=False),
        sa.Column("q", sa.String(length=100), nullable=False),
        sa.Column("sort", sa.String(length=40), nullable=False),
        sa.Column("condition", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("trouble", sa.Text(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "actor_id"],
            ["crm_users.tenant_id", "crm_users.id"],
            name=op.f("fk_crm_exports_tenant_id_actor_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_exports_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_exports")),
        **_EXACT,
    )
    op.create_index("ix_crm_exports_actor", "crm_exports", ["tenant_id", "actor_id", "id"])
    op.create_index("ix_crm_exports_expiry", "crm_exports", ["expires_at"])
    op.create_index("ix_crm_exports_tenant_id", "crm_exports", ["tenant_id"])

    op.create_table(
        "crm_import_jobs",
        sa.Column("object", sa.String(length=40), nullable=False),
        sa.Column("created_by_id", sa.String(length=36), nullable=False),
        sa.Column("file_name", sa.String(length=200), nullable=False),
        sa.Column("file_size", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("problem", sa.String(length=300), nullable=False),
        sa.Column("reading", sa.JSON(), nullable=False),
        sa.Column("mapping", sa.JSON(), nullable=False),
        sa.Column("sample", EncryptedJSON(), nullable=False),
        sa.Column("preview", EncryptedJSON(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("done_no", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=True),
        sa.Column("heartbeat_at", UtcDateTime(), nullable=True),
        sa.Column("operation_id", sa.String(length=36), nullable=True),
        sa.Column("started_at", UtcDateTime(), nullable=True),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "created_by_id"],
            ["crm_users.tenant_id", "crm_users.id"],
            name=op.f("fk_crm_import_jobs_tenant_id_created_by_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_import_jobs_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_import_jobs")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_crm_import_jobs_tenant_id_id")),
        **_EXACT,
    )
    op.create_index("ix_crm_import_jobs_creator", "crm_import_jobs", ["tenant_id", "created_by_id", "id"])
    op.create_index("ix_crm_import_jobs_object", "crm_import_jobs", ["tenant_id", "object", "id"])
    op.create_index("ix_crm_import_jobs_status", "crm_import_jobs", ["status", "heartbeat_at"])
    op.create_index("ix_crm_import_jobs_tenant_id", "crm_import_jobs", ["tenant_id"])

    op.create_table(
        "crm_notices",
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("text", sa.String(length=300), nullable=False),
        sa.Column("path", sa.String(length=300), nullable=False),
        sa.Column("unique", sa.String(length=100), nullable=True),
        sa.Column("read_at", UtcDateTime(), nullable=True),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"],
            ["crm_users.tenant_id", "crm_users.id"],
            name=op.f("fk_crm_notices_tenant_id_user_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_notices_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_notices")),
        sa.UniqueConstraint("user_id", "unique", name=op.f("uq_crm_notices_user_id_unique")),
        **_EXACT,
    )
    op.create_index("ix_crm_notices_tenant_id", "crm_notices", ["tenant_id"])
    op.create_index("ix_crm_notices_user", "crm_notices", ["tenant_id", "user_id", "read_at", "id"])

    op.create_table(
        "crm_recent_records",
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("entries", sa.JSON(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"],
            ["crm_users.tenant_id", "crm_users.id"],
            name=op.f("fk_crm_recent_records_tenant_id_user_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_recent_records_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_recent_records")),
        sa.UniqueConstraint("tenant_id", "user_id", name=op.f("uq_crm_recent_records_tenant_id_user_id")),
        **_EXACT,
    )
    op.create_index("ix_crm_recent_records_tenant_id", "crm_recent_records", ["tenant_id"])

    op.create_table(
        "crm_reminder_choices",
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("channels", sa.JSON(), nullable=False),
        sa.Column("email", sa.String(length=120), nullable=False),
        sa.Column("phone", EncryptedText(), nullable=True),
        sa.Column("wechat", sa.String(length=60), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"],
            ["crm_users.tenant_id", "crm_users.id"],
            name=op.f("fk_crm_reminder_choices_tenant_id_user_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_reminder_choices_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_reminder_choices")),
        sa.UniqueConstraint("tenant_id", "user_id", name=op.f("uq_crm_reminder_choices_tenant_id_user_id")),
        **_EXACT,
    )
    op.create_index("ix_crm_reminder_choices_tenant_id", "crm_reminder_choices", ["tenant_id"])

    op.create_table(
        "crm_saved_views",
        sa.Column("object", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("owner_id", sa.String(length=36), nullable=False),
        sa.Column("shared", sa.String(length=700), nullable=False),
        sa.Column("tree", sa.JSON(), nullable=False),
        sa.Column("q", sa.String(length=100), nullable=False),
        sa.Column("sort", sa.String(length=40), nullable=False),
        sa.Column("columns", sa.JSON(), nullable=False),
        sa.Column("choices", sa.JSON(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "owner_id"],
            ["crm_users.tenant_id", "crm_users.id"],
            name=op.f("fk_crm_saved_views_tenant_id_owner_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_saved_views_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_saved_views")),
        sa.UniqueConstraint(
            "tenant_id", "owner_id", "object", "name", name=op.f("uq_crm_saved_views_tenant_id_owner_id_object_name")
        ),
        **_EXACT,
    )
    op.create_index("ix_crm_saved_views_shared", "crm_saved_views", ["tenant_id", "shared"])
    op.create_index("ix_crm_saved_views_tenant_id", "crm_saved_views", ["tenant_id"])

    op.create_table(
        "crm_user_loads",
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("open_count", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=True),
        sa.Column("day_count", sa.Integer(), nullable=False),
        sa.Column("last_assigned_at", UtcDateTime(), nullable=True),
        sa.Column("away_until", UtcDateTime(), nullable=True),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"],
            ["crm_users.tenant_id", "crm_users.id"],
            name=op.f("fk_crm_user_loads_tenant_id_user_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_user_loads_tenant_id")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_crm_user_loads")),
        **_EXACT,
    )
    op.create_index("ix_crm_user_loads_tenant_id", "crm_user_loads", ["tenant_id"])
    op.create_index("ix_crm_user_loads_user", "crm_user_loads", ["tenant_id", "user_id"])

    op.create_table(
        "crm_user_roles",
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("role_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "role_id"],
            ["crm_roles.tenant_id", "crm_roles.id"],
            name=op.f("fk_crm_user_roles_tenant_id_role_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"],
            ["crm_users.tenant_id", "crm_users.id"],
            name=op.f("fk_crm_user_roles_tenant_id_user_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_user_roles_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_user_roles")),
        sa.UniqueConstraint("user_id", "role_id", name=op.f("uq_crm_user_roles_user_id_role_id")),
        **_EXACT,
    )
    op.create_index("ix_crm_user_roles_tenant_id", "crm_user_roles", ["tenant_id"])
    op.create_index("ix_crm_user_roles_tenant_role", "crm_user_roles", ["tenant_id", "role_id"])
    op.create_index("ix_crm_user_roles_tenant_user", "crm_user_roles", ["tenant_id", "user_id"])

    op.create_table(
        "crm_api_answers",
        sa.Column("key_id", sa.String(length=36), nullable=False),
        sa.Column("idempotency_key", sa.String(length=64), nullable=False),
        sa.Column("request_hash", sa.String(length=64), nullable=False),
        sa.Column("http_code", sa.Integer(), nullable=False),
        sa.Column("body", EncryptedJSON(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "key_id"],
            ["crm_api_keys.tenant_id", "crm_api_keys.id"],
            name=op.f("fk_crm_api_answers_tenant_id_key_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_api_answers_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_api_answers")),
        sa.UniqueConstraint("key_id", "idempotency_key", name=op.f("uq_crm_api_answers_key_id_idempotency_key")),
        **_EXACT,
    )
    op.create_index("ix_crm_api_answers_key", "crm_api_answers", ["tenant_id", "key_id", "id"])
    op.create_index("ix_crm_api_answers_tenant_id", "crm_api_answers", ["tenant_id"])

    op.create_table(
        "crm_contacts",
        sa.Column("customer_id", sa.String(length=36), nullable=True),
        sa.Column("title", sa.String(length=100), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("is_primary", sa.Boolean(), nullable=False),
        sa.Column("gender", sa.String(length=10), nullable=False),
        sa.Column("birthday", sa.Date(), nullable=True),
        sa.Column("phone", EncryptedText(), nullable=True),
        sa.Column("phone_index", sa.String(length=40), nullable=True),
        sa.Column("phone_last4", sa.String(length=40), nullable=True),
        sa.Column("phone_masked", sa.String(length=30), nullable=False),
        sa.Column("email", sa.String(length=120), nullable=True),
        sa.Column("wechat", sa.String(length=60), nullable=False),
        sa.Column("address", sa.String(length=200), nullable=False),
        sa.Column("remark", sa.Text(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("owner_id", sa.String(length=36), nullable=True),
        sa.Column("created_by_id", sa.String(length=36), nullable=True),
        sa.Column("updated_by_id", sa.String(length=36), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("deleted_at", UtcDateTime(), nullable=True),
        sa.Column("merged_into_id", sa.String(length=36), nullable=True),
        sa.Column("extra", sa.JSON(), nullable=False),
        sa.Column("name_key", sa.String(length=200), nullable=False),
        sa.Column("company_key", sa.String(length=200), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "customer_id"],
            ["crm_customers.tenant_id", "crm_customers.id"],
            name=op.f("fk_crm_contacts_tenant_id_customer_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "owner_id"],
            ["crm_users.tenant_id", "crm_users.id"],
            name=op.f("fk_crm_contacts_tenant_id_owner_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_contacts_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_contacts")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_crm_contacts_tenant_id_id")),
        **_EXACT,
    )
    with op.batch_alter_table("crm_contacts", schema=None) as batch_op:
        batch_op.create_index("ix_crm_contacts_company", ["tenant_id", "company_key"], unique=False)
        batch_op.create_index(
            "ix_crm_contacts_customer",
            ["tenant_id", "customer_id", "id"],
            unique=False,
            postgresql_where=sa.text("deleted_at IS NULL"),
            sqlite_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index("ix_crm_contacts_deleted", ["tenant_id", "deleted_at", "id"], unique=False)
        batch_op.create_index("ix_crm_contacts_email", ["tenant_id", "email"], unique=False)
        batch_op.create_index("ix_crm_contacts_last4", ["tenant_id", "phone_last4"], unique=False)
        batch_op.create_index(
            "ix_crm_contacts_live_added",
            ["tenant_id", "id"],
            unique=False,
            postgresql_where=sa.text("deleted_at IS NULL"),
            sqlite_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_crm_contacts_live_changed",
            ["tenant_id", "updated_at", "id"],
            unique=False,
            postgresql_where=sa.text("deleted_at IS NULL"),
            sqlite_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_crm_contacts_live_name",
            ["tenant_id", "name_key", "id"],
            unique=False,
            postgresql_where=sa.text("deleted_at IS NULL"),
            sqlite_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index("ix_crm_contacts_owner", ["tenant_id", "owner_id"], unique=False)
        batch_op.create_index(
            "ix_crm_contacts_owner_live",
            ["tenant_id", "owner_id", "updated_at", "id"],
            unique=False,
            postgresql_where=sa.text("deleted_at IS NULL"),
            sqlite_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index("ix_crm_contacts_phone", ["tenant_id", "phone_index"], unique=False)
        batch_op.create_index(batch_op.f("ix_crm_contacts_tenant_id"), ["tenant_id"], unique=False)
        batch_op.create_index("ix_crm_contacts_wechat", ["tenant_id", "wechat"], unique=False)

    op.create_table(
        "crm_import_rows",
        sa.Column("job_id", sa.String(length=36), nullable=False),
        sa.Column("no", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("action", sa.String(length=10), nullable=False),
        sa.Column("entity", sa.String(length=40), nullable=False),
        sa.Column("record_id", sa.String(length=36), nullable=True),
        sa.Column("label", sa.String(length=200), nullable=False),
        sa.Column("before", EncryptedJSON(), nullable=True),
        sa.Column("after", EncryptedJSON(), nullable=True),
        sa.Column("errors", sa.JSON(), nullable=False),
        sa.Column("key_hash", sa.String(length=120), nullable=False),
        sa.Column("undone", sa.String(length=10), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "job_id"],
            ["crm_import_jobs.tenant_id", "crm_import_jobs.id"],
            name=op.f("fk_crm_import_rows_tenant_id_job_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_import_rows_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_import_rows")),
        sa.UniqueConstraint("job_id", "no", name=op.f("uq_crm_import_rows_job_id_no")),
        **_EXACT,
    )
    op.create_index("ix_crm_import_rows_record", "crm_import_rows", ["tenant_id", "record_id"])
    op.create_index("ix_crm_import_rows_status", "crm_import_rows", ["tenant_id", "job_id", "status", "no"])
    op.create_index("ix_crm_import_rows_tenant_id", "crm_import_rows", ["tenant_id"])

    op.create_table(
        "crm_leads",
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("company", sa.String(length=200), nullable=False),
        sa.Column("title", sa.String(length=100), nullable=False),
        sa.Column("phone", EncryptedText(), nullable=True),
        sa.Column("phone_index", sa.String(length=40), nullable=True),
        sa.Column("phone_last4", sa.String(length=40), nullable=True),
        sa.Column("phone_masked", sa.String(length=30), nullable=False),
        sa.Column("phone_live", sa.String(length=40), nullable=True),
        sa.Column("email", sa.String(length=120), nullable=True),
        sa.Column("wechat", sa.String(length=60), nullable=False),
        sa.Column("region", sa.String(length=60), nullable=False),
        sa.Column("source", sa.String(length=30), nullable=False),
        sa.Column("campaign", sa.String(length=100), nullable=False),
        sa.Column("sourced_at", UtcDateTime(), nullable=True),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("priority", sa.String(length=10), nullable=False),
        sa.Column("amount", Money(), nullable=True),
        sa.Column("remark", sa.Text(), nullable=False),
        sa.Column("reached", sa.Integer(), nullable=False),
        sa.Column("step", sa.String(length=20), nullable=False),
        sa.Column("score", sa.Integer(), nullable=False),
        sa.Column("grade", sa.String(length=2), nullable=False),
        sa.Column("rescore_at", UtcDateTime(), nullable=True),
        sa.Column("hot_since", UtcDateTime(), nullable=True),
        sa.Column("last_contact_at", UtcDateTime(), nullable=True),
        sa.Column("next_follow_at", UtcDateTime(), nullable=True),
        sa.Column("next_key", UtcDateTime(), nullable=False),
        sa.Column("pool_id", sa.String(length=36), nullable=True),
        sa.Column("entered_pool_at", UtcDateTime(), nullable=True),
        sa.Column("claimed_at", UtcDateTime(), nullable=True),
        sa.Column("converted_at", UtcDateTime(), nullable=True),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("close_reason", sa.String(length=40), nullable=False),
        sa.Column("convert_reason", sa.String(length=40), nullable=False),
        sa.Column("customer_id", sa.String(length=36), nullable=True),
        sa.Column("external_id", sa.String(length=100), nullable=True),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("owner_id", sa.String(length=36), nullable=True),
        sa.Column("created_by_id", sa.String(length=36), nullable=True),
        sa.Column("updated_by_id", sa.String(length=36), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("deleted_at", UtcDateTime(), nullable=True),
        sa.Column("merged_into_id", sa.String(length=36), nullable=True),
        sa.Column("extra", sa.JSON(), nullable=False),
        sa.Column("name_key", sa.String(length=200), nullable=False),
        sa.Column("company_key", sa.String(length=200), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "customer_id"],
            ["crm_customers.tenant_id", "crm_customers.id"],
            name=op.f("fk_crm_leads_tenant_id_customer_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "owner_id"],
            ["crm_users.tenant_id", "crm_users.id"],
            name=op.f("fk_crm_leads_tenant_id_owner_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_leads_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_leads")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_crm_leads_tenant_id_id")),
        sa.UniqueConstraint("tenant_id", "phone_live", name="uq_crm_leads_phone_live"),
        **_EXACT,
    )
    with op.batch_alter_table("crm_leads", schema=None) as batch_op:
        batch_op.create_index(
            "ix_crm_leads_cohort",
            ["tenant_id", "created_at", "reached", "status"],
            unique=False,
            postgresql_where=sa.text("deleted_at IS NULL"),
            sqlite_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index("ix_crm_leads_company", ["tenant_id", "company_key"], unique=False)
        batch_op.create_index(
            "ix_crm_leads_converted",
            ["tenant_id", "converted_at", "created_at"],
            unique=False,
            postgresql_where=sa.text("deleted_at IS NULL"),
            sqlite_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index("ix_crm_leads_customer", ["tenant_id", "customer_id"], unique=False)
        batch_op.create_index("ix_crm_leads_deleted", ["tenant_id", "deleted_at", "id"], unique=False)
        batch_op.create_index("ix_crm_leads_email", ["tenant_id", "email"], unique=False)
        batch_op.create_index("ix_crm_leads_last4", ["tenant_id", "phone_last4"], unique=False)
        batch_op.create_index(
            "ix_crm_leads_live_added",
            ["tenant_id", "id"],
            unique=False,
            postgresql_where=sa.text("deleted_at IS NULL"),
            sqlite_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_crm_leads_live_changed",
            ["tenant_id", "updated_at", "id"],
            unique=False,
            postgresql_where=sa.text("deleted_at IS NULL"),
            sqlite_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_crm_leads_live_name",
            ["tenant_id", "name_key", "id"],
            unique=False,
            postgresql_where=sa.text("deleted_at IS NULL"),
            sqlite_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_crm_leads_next",
            ["tenant_id", "next_key", "id"],
            unique=False,
            postgresql_where=sa.text("deleted_at IS NULL"),
            sqlite_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index("ix_crm_leads_owner", ["tenant_id", "owner_id"], unique=False)
        batch_op.create_index(
            "ix_crm_leads_owner_live",
            ["tenant_id", "owner_id", "updated_at", "id"],
            unique=False,
            postgresql_where=sa.text("deleted_at IS NULL"),
            sqlite_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_crm_leads_owner_next",
            ["tenant_id", "owner_id", "next_key", "id"],
            unique=False,
            postgresql_where=sa.text("deleted_at IS NULL"),
            sqlite_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_crm_leads_owner_status",
            ["tenant_id", "owner_id", "status", "updated_at", "id"],
            unique=False,
            postgresql_where=sa.text("deleted_at IS NULL"),
            sqlite_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index("ix_crm_leads_phone", ["tenant_id", "phone_index"], unique=False)
        batch_op.create_index(
            "ix_crm_leads_pool",
            ["tenant_id", "pool_id", "entered_pool_at", "id"],
            unique=False,
            postgresql_where=sa.text("deleted_at IS NULL"),
            sqlite_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_crm_leads_owner_created",
            ["tenant_id", "owner_id", "created_at", "id"],
            unique=False,
            postgresql_where=sa.text("deleted_at IS NULL"),
            sqlite_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_crm_leads_pool_changed",
            ["tenant_id", "pool_id", "updated_at", "id"],
            unique=False,
            postgresql_where=sa.text("deleted_at IS NULL"),
            sqlite_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_crm_leads_rescore_due",
            ["rescore_at", "tenant_id"],
            unique=False,
            postgresql_where=sa.text("rescore_at IS NOT NULL"),
            sqlite_where=sa.text("rescore_at IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_crm_leads_status_score",
            ["tenant_id", "status", "score", "id"],
            unique=False,
            postgresql_where=sa.text("deleted_at IS NULL"),
            sqlite_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_crm_leads_score",
            ["tenant_id", "score", "id"],
            unique=False,
            postgresql_where=sa.text("deleted_at IS NULL"),
            sqlite_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_crm_leads_status",
            ["tenant_id", "status", "updated_at", "id"],
            unique=False,
            postgresql_where=sa.text("deleted_at IS NULL"),
            sqlite_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(batch_op.f("ix_crm_leads_tenant_id"), ["tenant_id"], unique=False)
        batch_op.create_index("ix_crm_leads_wechat", ["tenant_id", "wechat"], unique=False)

    op.create_table(
        "crm_communications",
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("direction", sa.String(length=5), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("person", sa.String(length=100), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("result", sa.String(length=20), nullable=False),
        sa.Column("duration", sa.Integer(), nullable=True),
        sa.Column("next_follow_at", UtcDateTime(), nullable=True),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("owner_id", sa.String(length=36), nullable=True),
        sa.Column("created_by_id", sa.String(length=36), nullable=True),
        sa.Column("updated_by_id", sa.String(length=36), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("deleted_at", UtcDateTime(), nullable=True),
        sa.Column("merged_into_id", sa.String(length=36), nullable=True),
        sa.Column("extra", sa.JSON(), nullable=False),
        sa.Column("name_key", sa.String(length=200), nullable=False),
        sa.Column("company_key", sa.String(length=200), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.Column("lead_id", sa.String(length=36), nullable=True),
        sa.Column("customer_id", sa.String(length=36), nullable=True),
        sa.Column("contact_id", sa.String(length=36), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "contact_id"],
            ["crm_contacts.tenant_id", "crm_contacts.id"],
            name=op.f("fk_crm_communications_tenant_id_contact_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "customer_id"],
            ["crm_customers.tenant_id", "crm_customers.id"],
            name=op.f("fk_crm_communications_tenant_id_customer_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "lead_id"],
            ["crm_leads.tenant_id", "crm_leads.id"],
            name=op.f("fk_crm_communications_tenant_id_lead_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "owner_id"],
            ["crm_users.tenant_id", "crm_users.id"],
            name=op.f("fk_crm_communications_tenant_id_owner_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_communications_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_communications")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_crm_communications_tenant_id_id")),
        **_EXACT,
    )
    with op.batch_alter_table("crm_communications", schema=None) as batch_op:
        batch_op.create_index(
            "ix_crm_communications_at",
            ["tenant_id", "at", "id"],
            unique=False,
            postgresql_where=sa.text("deleted_at IS NULL"),
            sqlite_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index("ix_crm_communications_company", ["tenant_id", "company_key"], unique=False)
        batch_op.create_index("ix_crm_communications_contact", ["tenant_id", "contact_id", "at"], unique=False)
        batch_op.create_index("ix_crm_communications_customer", ["tenant_id", "customer_id", "at"], unique=False)
        batch_op.create_index("ix_crm_communications_deleted", ["tenant_id", "deleted_at", "id"], unique=False)
        batch_op.create_index("ix_crm_communications_lead", ["tenant_id", "lead_id", "at"], unique=False)
        batch_op.create_index(
            "ix_crm_communications_live_added",
            ["tenant_id", "id"],
            unique=False,
            postgresql_where=sa.text("deleted_at IS NULL"),
            sqlite_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_crm_communications_live_changed",
            ["tenant_id", "updated_at", "id"],
            unique=False,
            postgresql_where=sa.text("deleted_at IS NULL"),
            sqlite_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_crm_communications_live_name",
            ["tenant_id", "name_key", "id"],
            unique=False,
            postgresql_where=sa.text("deleted_at IS NULL"),
            sqlite_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index("ix_crm_communications_owner", ["tenant_id", "owner_id"], unique=False)
        batch_op.create_index(
            "ix_crm_communications_owner_at",
            ["tenant_id", "owner_id", "at", "id"],
            unique=False,
            postgresql_where=sa.text("deleted_at IS NULL"),
            sqlite_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_crm_communications_owner_live",
            ["tenant_id", "owner_id", "updated_at", "id"],
            unique=False,
            postgresql_where=sa.text("deleted_at IS NULL"),
            sqlite_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(batch_op.f("ix_crm_communications_tenant_id"), ["tenant_id"], unique=False)

    op.create_table(
        "crm_lead_steps",
        sa.Column("lead_id", sa.String(length=36), nullable=False),
        sa.Column("step", sa.String(length=20), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("by_id", sa.String(length=36), nullable=True),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "lead_id"],
            ["crm_leads.tenant_id", "crm_leads.id"],
            name=op.f("fk_crm_lead_steps_tenant_id_lead_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_lead_steps_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_lead_steps")),
        sa.UniqueConstraint("lead_id", "step", name=op.f("uq_crm_lead_steps_lead_id_step")),
        **_EXACT,
    )
    op.create_index("ix_crm_lead_steps_lead", "crm_lead_steps", ["tenant_id", "lead_id"])
    op.create_index("ix_crm_lead_steps_step", "crm_lead_steps", ["tenant_id", "step", "at"])
    op.create_index("ix_crm_lead_steps_tenant_id", "crm_lead_steps", ["tenant_id"])

    op.create_table(
        "crm_plans",
        sa.Column("goal", sa.String(length=200), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("outcome", sa.String(length=500), nullable=False),
        sa.Column("template_id", sa.String(length=36), nullable=True),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("owner_id", sa.String(length=36), nullable=True),
        sa.Column("created_by_id", sa.String(length=36), nullable=True),
        sa.Column("updated_by_id", sa.String(length=36), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("deleted_at", UtcDateTime(), nullable=True),
        sa.Column("merged_into_id", sa.String(length=36), nullable=True),
        sa.Column("extra", sa.JSON(), nullable=False),
        sa.Column("name_key", sa.String(length=200), nullable=False),
        sa.Column("company_key", sa.String(length=200), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.Column("lead_id", sa.String(length=36), nullable=True),
        sa.Column("customer_id", sa.String(length=36), nullable=True),
        sa.Column("contact_id", sa.String(length=36), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "contact_id"],
            ["crm_contacts.tenant_id", "crm_contacts.id"],
            name=op.f("fk_crm_plans_tenant_id_contact_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "customer_id"],
            ["crm_customers.tenant_id", "crm_customers.id"],
            name=op.f("fk_crm_plans_tenant_id_customer_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "lead_id"],
            ["crm_leads.tenant_id", "crm_leads.id"],
            name=op.f("fk_crm_plans_tenant_id_lead_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "owner_id"],
            ["crm_users.tenant_id", "crm_users.id"],
            name=op.f("fk_crm_plans_tenant_id_owner_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_plans_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_plans")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_crm_plans_tenant_id_id")),
        **_EXACT,
    )
    with op.batch_alter_table("crm_plans", schema=None) as batch_op:
        batch_op.create_index("ix_crm_plans_company", ["tenant_id", "company_key"], unique=False)
        batch_op.create_index("ix_crm_plans_contact", ["tenant_id", "contact_id", "status"], unique=False)
        batch_op.create_index("ix_crm_plans_customer", ["tenant_id", "customer_id", "status"], unique=False)
        batch_op.create_index("ix_crm_plans_deleted", ["tenant_id", "deleted_at", "id"], unique=False)
        batch_op.create_index("ix_crm_plans_lead", ["tenant_id", "lead_id", "status"], unique=False)
        batch_op.create_index(
            "ix_crm_plans_live_added",
            ["tenant_id", "id"],
            unique=False,
            postgresql_where=sa.text("deleted_at IS NULL"),
            sqlite_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_crm_plans_live_changed",
            ["tenant_id", "updated_at", "id"],
            unique=False,
            postgresql_where=sa.text("deleted_at IS NULL"),
            sqlite_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_crm_plans_live_name",
            ["tenant_id", "name_key", "id"],
            unique=False,
            postgresql_where=sa.text("deleted_at IS NULL"),
            sqlite_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_crm_plans_mine",
            ["tenant_id", "owner_id", "status", "id"],
            unique=False,
            postgresql_where=sa.text("deleted_at IS NULL"),
            sqlite_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index("ix_crm_plans_owner", ["tenant_id", "owner_id"], unique=False)
        batch_op.create_index(
            "ix_crm_plans_owner_live",
            ["tenant_id", "owner_id", "updated_at", "id"],
            unique=False,
            postgresql_where=sa.text("deleted_at IS NULL"),
            sqlite_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(batch_op.f("ix_crm_plans_tenant_id"), ["tenant_id"], unique=False)

    op.create_table(
        "crm_score_entries",
        sa.Column("lead_id", sa.String(length=36), nullable=False),
        sa.Column("key", sa.String(length=60), nullable=False),
        sa.Column("family", sa.String(length=12), nullable=False),
        sa.Column("points", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=300), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "lead_id"],
            ["crm_leads.tenant_id", "crm_leads.id"],
            name=op.f("fk_crm_score_entries_tenant_id_lead_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_score_entries_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_score_entries")),
        sa.UniqueConstraint("lead_id", "key", name=op.f("uq_crm_score_entries_lead_id_key")),
        **_EXACT,
    )
    op.create_index("ix_crm_score_entries_lead", "crm_score_entries", ["tenant_id", "lead_id"])
    op.create_index("ix_crm_score_entries_tenant_id", "crm_score_entries", ["tenant_id"])

    op.create_table(
        "crm_score_manual",
        sa.Column("lead_id", sa.String(length=36), nullable=False),
        sa.Column("author_id", sa.String(length=36), nullable=True),
        sa.Column("points", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=True),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "author_id"],
            ["crm_users.tenant_id", "crm_users.id"],
            name=op.f("fk_crm_score_manual_tenant_id_author_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "lead_id"],
            ["crm_leads.tenant_id", "crm_leads.id"],
            name=op.f("fk_crm_score_manual_tenant_id_lead_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_score_manual_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_score_manual")),
        **_EXACT,
    )
    op.create_index("ix_crm_score_manual_author", "crm_score_manual", ["tenant_id", "author_id"])
    op.create_index("ix_crm_score_manual_lead", "crm_score_manual", ["tenant_id", "lead_id"])
    op.create_index("ix_crm_score_manual_tenant_id", "crm_score_manual", ["tenant_id"])

    op.create_table(
        "crm_plan_steps",
        sa.Column("plan_id", sa.String(length=36), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("content", sa.String(length=500), nullable=False),
        sa.Column("goal", sa.String(length=200), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("outcome", sa.String(length=500), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "plan_id"],
            ["crm_plans.tenant_id", "crm_plans.id"],
            name=op.f("fk_crm_plan_steps_tenant_id_plan_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_plan_steps_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_plan_steps")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_crm_plan_steps_tenant_id_id")),
        **_EXACT,
    )
    op.create_index("ix_crm_plan_steps_due", "crm_plan_steps", ["status", "due_at"])
    op.create_index("ix_crm_plan_steps_plan", "crm_plan_steps", ["tenant_id", "plan_id", "due_at"])
    op.create_index("ix_crm_plan_steps_tenant_id", "crm_plan_steps", ["tenant_id"])

    op.create_table(
        "crm_tasks",
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("priority", sa.String(length=10), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("result", sa.String(length=500), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("is_next", sa.Boolean(), nullable=False),
        sa.Column("postponed", sa.Integer(), nullable=False),
        sa.Column("rule", sa.String(length=100), nullable=False),
        sa.Column("first_due_at", UtcDateTime(), nullable=True),
        sa.Column("followed_by_id", sa.String(length=36), nullable=True),
        sa.Column("before", sa.String(length=40), nullable=False),
        sa.Column("remind_at", UtcDateTime(), nullable=True),
        sa.Column("step_id", sa.String(length=36), nullable=True),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("owner_id", sa.String(length=36), nullable=True),
        sa.Column("created_by_id", sa.String(length=36), nullable=True),
        sa.Column("updated_by_id", sa.String(length=36), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("deleted_at", UtcDateTime(), nullable=True),
        sa.Column("merged_into_id", sa.String(length=36), nullable=True),
        sa.Column("extra", sa.JSON(), nullable=False),
        sa.Column("name_key", sa.String(length=200), nullable=False),
        sa.Column("company_key", sa.String(length=200), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.Column("lead_id", sa.String(length=36), nullable=True),
        sa.Column("customer_id", sa.String(length=36), nullable=True),
        sa.Column("contact_id", sa.String(length=36), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "contact_id"],
            ["crm_contacts.tenant_id", "crm_contacts.id"],
            name=op.f("fk_crm_tasks_tenant_id_contact_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "customer_id"],
            ["crm_customers.tenant_id", "crm_customers.id"],
            name=op.f("fk_crm_tasks_tenant_id_customer_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "lead_id"],
            ["crm_leads.tenant_id", "crm_leads.id"],
            name=op.f("fk_crm_tasks_tenant_id_lead_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "owner_id"],
            ["crm_users.tenant_id", "crm_users.id"],
            name=op.f("fk_crm_tasks_tenant_id_owner_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "step_id"],
            ["crm_plan_steps.tenant_id", "crm_plan_steps.id"],
            name=op.f("fk_crm_tasks_tenant_id_step_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_tasks_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_tasks")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_crm_tasks_tenant_id_id")),
        **_EXACT,
    )
    with op.batch_alter_table("crm_tasks", schema=None) as batch_op:
        batch_op.create_index("ix_crm_tasks_company", ["tenant_id", "company_key"], unique=False)
        batch_op.create_index("ix_crm_tasks_contact", ["tenant_id", "contact_id", "status", "due_at"], unique=False)
        batch_op.create_index("ix_crm_tasks_customer", ["tenant_id", "customer_id", "status", "due_at"], unique=False)
        batch_op.create_index("ix_crm_tasks_deleted", ["tenant_id", "deleted_at", "id"], unique=False)
        batch_op.create_index("ix_crm_tasks_lead", ["tenant_id", "lead_id", "status", "due_at"], unique=False)
        batch_op.create_index(
            "ix_crm_tasks_live_added",
            ["tenant_id", "id"],
            unique=False,
            postgresql_where=sa.text("deleted_at IS NULL"),
            sqlite_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_crm_tasks_live_changed",
            ["tenant_id", "updated_at", "id"],
            unique=False,
            postgresql_where=sa.text("deleted_at IS NULL"),
            sqlite_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_crm_tasks_live_name",
            ["tenant_id", "name_key", "id"],
            unique=False,
            postgresql_where=sa.text("deleted_at IS NULL"),
            sqlite_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_crm_tasks_mine",
            ["tenant_id", "owner_id", "status", "due_at", "id"],
            unique=False,
            postgresql_where=sa.text("deleted_at IS NULL"),
            sqlite_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index("ix_crm_tasks_owner", ["tenant_id", "owner_id"], unique=False)
        batch_op.create_index(
            "ix_crm_tasks_owner_live",
            ["tenant_id", "owner_id", "updated_at", "id"],
            unique=False,
            postgresql_where=sa.text("deleted_at IS NULL"),
            sqlite_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index("ix_crm_tasks_remind", ["status", "remind_at"], unique=False)
        batch_op.create_index("ix_crm_tasks_step", ["tenant_id", "step_id"], unique=False)
        batch_op.create_index(
            "ix_crm_tasks_team",
            ["tenant_id", "status", "due_at", "id"],
            unique=False,
            postgresql_where=sa.text("deleted_at IS NULL"),
            sqlite_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(batch_op.f("ix_crm_tasks_tenant_id"), ["tenant_id"], unique=False)

    op.create_table(
        "crm_reminders",
        sa.Column("task_id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("moment", UtcDateTime(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "task_id"],
            ["crm_tasks.tenant_id", "crm_tasks.id"],
            name=op.f("fk_crm_reminders_tenant_id_task_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"],
            ["crm_users.tenant_id", "crm_users.id"],
            name=op.f("fk_crm_reminders_tenant_id_user_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_reminders_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_reminders")),
        sa.UniqueConstraint("task_id", "moment", "channel", name=op.f("uq_crm_reminders_task_id_moment_channel")),
        **_EXACT,
    )
    op.create_index("ix_crm_reminders_task", "crm_reminders", ["tenant_id", "task_id"])
    op.create_index("ix_crm_reminders_tenant_id", "crm_reminders", ["tenant_id"])
    op.create_index("ix_crm_reminders_user", "crm_reminders", ["tenant_id", "user_id"])

    op.create_table(
        "crm_anomaly_settings",
        sa.Column("holding", sa.JSON(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_anomaly_settings_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_anomaly_settings")),
        sa.UniqueConstraint("tenant_id", name=op.f("uq_crm_anomaly_settings_tenant_id")),
        **_EXACT,
    )
    op.create_index("ix_crm_anomaly_settings_tenant_id", "crm_anomaly_settings", ["tenant_id"])

    op.create_table(
        "crm_audit_archives",
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_audit_archives_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_audit_archives")),
        sa.UniqueConstraint("tenant_id", "first_day", name=op.f("uq_crm_audit_archives_tenant_id_first_day")),
        **_EXACT,
    )
    op.create_index("ix_crm_audit_archives_tenant_id", "crm_audit_archives", ["tenant_id"])

    op.create_table(
        "crm_calendar_days",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("is_working", sa.Boolean(), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_calendar_days_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_calendar_days")),
        sa.UniqueConstraint("tenant_id", "day", name=op.f("uq_crm_calendar_days_tenant_id_day")),
        **_EXACT,
    )
    op.create_index("ix_crm_calendar_days_tenant_id", "crm_calendar_days", ["tenant_id"])

    op.create_table(
        "crm_rights_history",
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("state", sa.JSON(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_rights_history_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_rights_history")),
        **_EXACT,
    )
    op.create_index("ix_crm_rights_history_kind", "crm_rights_history", ["tenant_id", "kind", "created_at", "id"])
    op.create_index("ix_crm_rights_history_tenant_id", "crm_rights_history", ["tenant_id"])

    op.create_table(
        "crm_known_origins",
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("mark", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"],
            ["crm_users.tenant_id", "crm_users.id"],
            name=op.f("fk_crm_known_origins_tenant_id_user_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_known_origins_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_known_origins")),
        sa.UniqueConstraint("user_id", "kind", "mark", name=op.f("uq_crm_known_origins_user_id_kind_mark")),
        **_EXACT,
    )
    op.create_index("ix_crm_known_origins_tenant_id", "crm_known_origins", ["tenant_id"])

    op.create_table(
        "crm_page_views",
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("slot", UtcDateTime(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("last_at", UtcDateTime(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"],
            ["crm_users.tenant_id", "crm_users.id"],
            name=op.f("fk_crm_page_views_tenant_id_user_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_crm_page_views_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_page_views")),
        sa.UniqueConstraint("user_id", "slot", name=op.f("uq_crm_page_views_user_id_slot")),
        **_EXACT,
    )
    op.create_index("ix_crm_page_views_slot", "crm_page_views", ["slot"])
    op.create_index("ix_crm_page_views_tenant_id", "crm_page_views", ["tenant_id"])

    with op.batch_alter_table("crm_customers", schema=None) as batch_op:
        batch_op.add_column(sa.Column("phone_last4", sa.String(length=40), nullable=True))
        batch_op.add_column(sa.Column("wechat", sa.String(length=60), nullable=False, server_default=sa.text("''")))
        batch_op.add_column(sa.Column("address", sa.String(length=200), nullable=False, server_default=sa.text("''")))
        batch_op.add_column(sa.Column("industry", sa.String(length=40), nullable=False, server_default=sa.text("''")))
        batch_op.add_column(sa.Column("size", sa.String(length=20), nullable=False, server_default=sa.text("''")))
        batch_op.add_column(sa.Column("level", sa.String(length=10), nullable=False, server_default=sa.text("''")))
        batch_op.add_column(sa.Column("tags", sa.JSON(), nullable=False, server_default=sa.text("'[]'")))
        batch_op.add_column(sa.Column("last_contact_at", UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("next_follow_at", UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("created_by_id", sa.String(length=36), nullable=True))
        batch_op.add_column(sa.Column("merged_into_id", sa.String(length=36), nullable=True))
        batch_op.add_column(sa.Column("extra", sa.JSON(), nullable=False, server_default=sa.text("'{}'")))
        batch_op.create_index("ix_crm_customers_company", ["tenant_id", "company_key"], unique=False)
        batch_op.create_index("ix_crm_customers_deleted", ["tenant_id", "deleted_at", "id"], unique=False)
        batch_op.create_index("ix_crm_customers_email", ["tenant_id", "email"], unique=False)
        batch_op.create_index("ix_crm_customers_last4", ["tenant_id", "phone_last4"], unique=False)
        batch_op.create_index(
            "ix_crm_customers_live_added",
            ["tenant_id", "id"],
            unique=False,
            postgresql_where=sa.text("deleted_at IS NULL"),
            sqlite_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_crm_customers_live_changed",
            ["tenant_id", "updated_at", "id"],
            unique=False,
            postgresql_where=sa.text("deleted_at IS NULL"),
            sqlite_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_crm_customers_live_name",
            ["tenant_id", "name_key", "id"],
            unique=False,
            postgresql_where=sa.text("deleted_at IS NULL"),
            sqlite_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index("ix_crm_customers_owner", ["tenant_id", "owner_id"], unique=False)
        batch_op.create_index(
            "ix_crm_customers_owner_live",
            ["tenant_id", "owner_id", "updated_at", "id"],
            unique=False,
            postgresql_where=sa.text("deleted_at IS NULL"),
            sqlite_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index("ix_crm_customers_phone", ["tenant_id", "phone_index"], unique=False)
        batch_op.create_index("ix_crm_customers_wechat", ["tenant_id", "wechat"], unique=False)
        batch_op.drop_constraint(batch_op.f("fk_crm_customers_tenant_id_updated_by_id"), type_="foreignkey")
        batch_op.drop_index(batch_op.f("ix_crm_customers_owner_id"))
        batch_op.drop_index(batch_op.f("ix_crm_customers_tenant_changed"))
        batch_op.drop_index(batch_op.f("ix_crm_customers_tenant_company"))
        batch_op.drop_index(batch_op.f("ix_crm_customers_tenant_deleted"))
        batch_op.drop_index(batch_op.f("ix_crm_customers_tenant_name"))
        batch_op.drop_index(batch_op.f("ix_crm_customers_tenant_owner"))
        batch_op.drop_index(batch_op.f("ix_crm_customers_tenant_phone"))
        batch_op.drop_index(batch_op.f("ix_crm_customers_updated_by_id"))
        batch_op.drop_column("search_text")

    if op.get_bind().dialect.name in {"mysql", "mariadb"}:  # it made an index for the key that is gone
        op.drop_index("fk_crm_customers_tenant_id_updated_by_id", "crm_customers")

    with op.batch_alter_table("crm_customers", schema=None) as batch_op:
        batch_op.alter_column(
            "wechat", existing_type=sa.String(length=60), existing_nullable=False, server_default=None
        )
        batch_op.alter_column(
            "address", existing_type=sa.String(length=200), existing_nullable=False, server_default=None
        )
        batch_op.alter_column(
            "industry", existing_type=sa.String(length=40), existing_nullable=False, server_default=None
        )
        batch_op.alter_column("size", existing_type=sa.String(length=20), existing_nullable=False, server_default=None)
        batch_op.alter_column("level", existing_type=sa.String(length=10), existing_nullable=False, server_default=None)
        batch_op.alter_column("tags", existing_type=sa.JSON(), existing_nullable=False, server_default=None)
        batch_op.alter_column("extra", existing_type=sa.JSON(), existing_nullable=False, server_default=None)

    with op.batch_alter_table("crm_users", schema=None) as batch_op:
        batch_op.add_column(sa.Column("title", sa.String(length=60), nullable=False, server_default=sa.text("''")))
        batch_op.add_column(sa.Column("department_id", sa.String(length=36), nullable=True))
        batch_op.add_column(sa.Column("manager_id", sa.String(length=36), nullable=True))
        batch_op.add_column(sa.Column("uses_shortcuts", sa.Boolean(), nullable=False, server_default=sa.true()))
        batch_op.add_column(
            sa.Column("policy_version", sa.String(length=36), nullable=False, server_default=sa.text("'0001'"))
        )
        batch_op.add_column(sa.Column("held_at", UtcDateTime(), nullable=True))
        batch_op.create_index("ix_crm_users_tenant_department", ["tenant_id", "department_id"], unique=False)
        batch_op.create_index("ix_crm_users_tenant_manager", ["tenant_id", "manager_id"], unique=False)
        batch_op.create_foreign_key(
            batch_op.f("fk_crm_users_tenant_id_department_id"),
            "crm_departments",
            ["tenant_id", "department_id"],
            ["tenant_id", "id"],
        )
        batch_op.create_foreign_key(
            batch_op.f("fk_crm_users_tenant_id_manager_id"),
            "crm_users",
            ["tenant_id", "manager_id"],
            ["tenant_id", "id"],
        )

    with op.batch_alter_table("crm_users", schema=None) as batch_op:
        batch_op.alter_column("title", existing_type=sa.String(length=60), existing_nullable=False, server_default=None)
        batch_op.alter_column(
            "uses_shortcuts", existing_type=sa.Boolean(), existing_nullable=False, server_default=None
        )
        batch_op.alter_column(
            "policy_version", existing_type=sa.String(length=36), existing_nullable=False, server_default=None
        )

    _give_roles()
    with op.batch_alter_table("crm_users", schema=None) as batch_op:
        batch_op.drop_column("role")

    _databases_own(_SEARCH)
    _databases_own(_AUDIT)
    if op.get_bind().dialect.name == "postgresql":
        _build_walls()
        rls.trust_if_allowed(op.get_bind())
        op.execute("CREATE STATISTICS st_crm_leads_pool_owner (mcv) ON pool_id, owner_id FROM crm_leads")


def downgrade() -> None:
    dialect = op.get_bind().dialect.name
    if dialect == "postgresql":
        _tear_down_walls()
    for statement in _AUDIT_AWAY["postgresql" if dialect == "postgresql" else "other"]:
        op.execute(statement)
    if dialect == "sqlite":
        for trigger in ("added", "gone", "changed"):
            op.execute(f"DROP TRIGGER IF EXISTS search_entries_{trigger}")
        op.execute("DROP TABLE IF EXISTS search_entries_fts")
    with op.batch_alter_table("crm_users", schema=None) as batch_op:
        batch_op.add_column(sa.Column("role", sa.String(length=20), nullable=False, server_default=sa.text("'sales'")))

    _give_words()
    with op.batch_alter_table("crm_users", schema=None) as batch_op:
        batch_op.alter_column("role", existing_type=sa.String(length=20), existing_nullable=False, server_default=None)

    with op.batch_alter_table("crm_users", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_crm_users_tenant_id_manager_id"), type_="foreignkey")
        batch_op.drop_constraint(batch_op.f("fk_crm_users_tenant_id_department_id"), type_="foreignkey")
        batch_op.drop_index("ix_crm_users_tenant_manager")
        batch_op.drop_index("ix_crm_users_tenant_department")
        batch_op.drop_column("held_at")
        batch_op.drop_column("policy_version")
        batch_op.drop_column("uses_shortcuts")
        batch_op.drop_column("manager_id")
        batch_op.drop_column("department_id")
        batch_op.drop_column("title")

    with op.batch_alter_table("crm_customers", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("search_text", sa.VARCHAR(length=1000), nullable=False, server_default=sa.text("''"))
        )
        batch_op.create_index(batch_op.f("ix_crm_customers_updated_by_id"), ["updated_by_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_crm_customers_tenant_phone"), ["tenant_id", "phone_index"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_crm_customers_tenant_owner"), ["tenant_id", "owner_id", "updated_at", "id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_crm_customers_tenant_name"), ["tenant_id", "name_key", "id"], unique=False)
        batch_op.create_index(batch_op.f("ix_crm_customers_tenant_deleted"), ["tenant_id", "deleted_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_crm_customers_tenant_company"), ["tenant_id", "company_key"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_crm_customers_tenant_changed"), ["tenant_id", "updated_at", "id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_crm_customers_owner_id"), ["owner_id"], unique=False)
        batch_op.create_foreign_key(
            batch_op.f("fk_crm_customers_tenant_id_updated_by_id"),
            "crm_users",
            ["tenant_id", "updated_by_id"],
            ["tenant_id", "id"],
        )
        batch_op.drop_index("ix_crm_customers_wechat")
        batch_op.drop_index("ix_crm_customers_phone")
        batch_op.drop_index(
            "ix_crm_customers_owner_live",
            postgresql_where=sa.text("deleted_at IS NULL"),
            sqlite_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index("ix_crm_customers_owner")
        batch_op.drop_index(
            "ix_crm_customers_live_name",
            postgresql_where=sa.text("deleted_at IS NULL"),
            sqlite_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_crm_customers_live_changed",
            postgresql_where=sa.text("deleted_at IS NULL"),
            sqlite_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_crm_customers_live_added",
            postgresql_where=sa.text("deleted_at IS NULL"),
            sqlite_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index("ix_crm_customers_last4")
        batch_op.drop_index("ix_crm_customers_email")
        batch_op.drop_index("ix_crm_customers_deleted")
        batch_op.drop_index("ix_crm_customers_company")
        batch_op.drop_column("extra")
        batch_op.drop_column("merged_into_id")
        batch_op.drop_column("created_by_id")
        batch_op.drop_column("next_follow_at")
        batch_op.drop_column("last_contact_at")
        batch_op.drop_column("tags")
        batch_op.drop_column("level")
        batch_op.drop_column("size")
        batch_op.drop_column("industry")
        batch_op.drop_column("address")
        batch_op.drop_column("wechat")
        batch_op.drop_column("phone_last4")

    with op.batch_alter_table("crm_customers", schema=None) as batch_op:
        batch_op.alter_column(
            "search_text", existing_type=sa.VARCHAR(length=1000), existing_nullable=False, server_default=None
        )

    op.drop_table("crm_page_views")
    op.drop_table("crm_known_origins")
    op.drop_table("crm_rights_history")
    op.drop_table("crm_calendar_days")
    op.drop_table("crm_audit_archives")
    op.drop_table("crm_anomaly_settings")
    op.drop_table("crm_reminders")
    op.drop_table("crm_tasks")
    op.drop_table("crm_plan_steps")
    op.drop_table("crm_score_manual")
    op.drop_table("crm_score_entries")
    op.drop_table("crm_plans")
    op.drop_table("crm_lead_steps")
    op.drop_table("crm_communications")
    op.drop_table("crm_leads")
    op.drop_table("crm_import_rows")
    op.drop_table("crm_contacts")
    op.drop_table("crm_api_answers")
    op.drop_table("crm_user_roles")
    op.drop_table("crm_user_loads")
    op.drop_table("crm_saved_views")
    op.drop_table("crm_reminder_choices")
    op.drop_table("crm_recent_records")
    op.drop_table("crm_notices")
    op.drop_table("crm_import_jobs")
    op.drop_table("crm_exports")
    op.drop_table("crm_comments")
    op.drop_table("crm_collaborators")
    op.drop_table("crm_bulk_runs")
    op.drop_table("crm_attachments")
    op.drop_table("crm_assign_members")
    op.drop_table("crm_api_keys")
    op.drop_table("crm_sharing_rules")
    op.drop_table("crm_recycle_rules")
    op.drop_table("crm_pool_members")
    op.drop_table("crm_operation_rows")
    op.drop_table("crm_lead_form_days")
    op.drop_table("crm_channel_people")
    op.drop_table("crm_channel_calls")
    op.drop_table("crm_assign_versions")
    op.drop_table("crm_assign_cursors")
    op.drop_table("crm_arrivals")
    op.drop_table("search_entries")
    op.drop_table("crm_timeline")
    op.drop_table("crm_storage_use")
    op.drop_table("crm_score_models")
    op.drop_table("crm_roles")
    op.drop_table("crm_record_tags")
    op.drop_table("crm_pools")
    op.drop_table("crm_pool_events")
    op.drop_table("crm_plan_templates")
    op.drop_table("crm_operations")
    op.drop_table("crm_lead_forms")
    op.drop_table("crm_import_mappings")
    op.drop_table("crm_departments")
    op.drop_table("crm_custom_fields")
    op.drop_table("crm_channels")
    op.drop_table("crm_capacities")
    op.drop_table("crm_behaviour")
    op.drop_table("crm_audit_seals")
    op.drop_table("crm_audit_events")
    op.drop_table("crm_audit_cases")
    op.drop_table("crm_assign_rules")
    op.drop_table("crm_assign_logs")
    op.drop_table("capture_doors")
