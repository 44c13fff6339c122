"""What a lead is, for every list, form, rule and file (seed C §1.1, §1.3)."""

from __future__ import annotations

from datetime import UTC, datetime

from app.core import clock
from app.core.states import Move, StateMachine
from app.crm.leads.models import Lead
from app.crm.records import types
from app.crm.records.fields import Field
from app.crm.records.types import RecordType

STAGES = (
    ("new", "新线索"),
    ("contacting", "联系中"),
    ("qualified", "意向明确"),
    ("converted", "已转化"),
    ("closed", "已关闭"),
)
SOURCES = (
    ("website", "官网表单"), ("wechat", "微信"), ("weibo", "微博"), ("event", "线下活动"), ("import", "表格导入"), ("phone", "电话咨询"),
    ("referral", "老客户介绍"), ("api", "API"), ("other", "其他"),
)  # fmt: skip
PRIORITIES = (("high", "高"), ("medium", "中"), ("low", "低"))
CLOSE_REASONS = (
    ("price", "价格不合适"), ("competitor", "选了别家"), ("no_need", "没有需求"), ("no_budget", "没有预算"), ("unreachable", "联系不上"),
    ("invalid", "信息不实"), ("duplicate", "重复线索"), ("other", "其他"),
)  # fmt: skip
CONVERT_REASONS = (
    ("product", "产品合适"), ("price", "价格合适"), ("service", "服务和响应"), ("brand", "口碑和案例"), ("referral", "熟人推荐"), ("other", "其他"),
)  # fmt: skip
# Seed C §1.4: the steps on the way to a customer
STEPS = (
    ("verified", "线索验证"),
    ("needs", "需求确认"),
    ("proposal", "方案提供"),
    ("contract", "合同签订"),
    ("customer", "转化客户"),
)
NEVER = datetime(9999, 12, 31, tzinfo=UTC)

OPEN = ("new", "contacting", "qualified")
STATES = StateMachine(
    "条线索",
    {
        "contact": Move(("new",), "contacting", "lead.contacted"),
        "qualify": Move(("new", "contacting"), "qualified", "lead.qualified"),
        "step_back": Move(("qualified",), "contacting", "lead.contacted"),
        "convert": Move(OPEN, "converted", "lead.converted"),
        "close": Move(OPEN, "closed", "lead.closed"),
        "reopen": Move(("closed", "converted"), "contacting", "lead.reopened"),
    },
)

FIELDS = (
    Field("name", "姓名", required=True, most=100, sorts=True, inline=True),
    Field("company", "公司", most=200, inline=True),
    Field("title", "职位", most=100, inline=True),
    Field("phone", "手机", "phone", sensitive=True),
    Field("email", "邮箱", "email", most=120),
    Field("wechat", "微信", most=60),
    Field("region", "地区", most=60, inline=True),
    Field("source", "来源", "choice", SOURCES),
    Field("campaign", "来源活动", most=100),
    Field("sourced_at", "来源时间", "datetime"),
    Field("tags", "兴趣", "tags", inline=True),
    Field("priority", "优先级", "choice", PRIORITIES, inline=True),
    Field("amount", "预计金额", "money", inline=True),
    Field("owner_id", "负责人", "user"),
    Field("remark", "备注", "long_text", most=5000),
    Field("external_id", "外部编号", most=100),
    Field("status", "状态", "choice", STAGES, written=False, section="跟进"),
    Field("step", "转化步骤", "choice", STEPS, written=False, section="跟进"),
    Field("score", "评分", "number", written=False, sorts=True, section="跟进"),
    Field("grade", "等级", written=False, section="跟进"),
    Field("last_contact_at", "最近联系", "datetime", written=False, section="跟进"),
    Field("next_follow_at", "下次跟进", "datetime", inline=True, sorts=True, section="跟进"),
    Field("pool_id", "公海", "record", written=False, to="pool", section="跟进"),
    Field("converted_at", "转化时间", "datetime", written=False, section="跟进"),
    Field("closed_at", "关闭时间", "datetime", written=False, section="跟进"),
    Field("close_reason", "关闭原因", "choice", CLOSE_REASONS, written=False, section="跟进"),
    Field("convert_reason", "转化原因", "choice", CONVERT_REASONS, written=False, section="跟进"),
    Field("reached", "到过的阶段", "number", written=False, section="跟进"),
    Field("customer_id", "转化成的客户", "record", written=False, to="customer", section="跟进"),
)


def derive(lead: Lead) -> None:
    """The columns that follow from others: one open lead a phone, and an order by the next follow-up."""
    lead.status = lead.status or "new"
    is_live = lead.is_open and not lead.is_deleted and lead.merged_into_id is None
    lead.phone_live = lead.phone_index if is_live else None
    lead.next_key = lead.next_follow_at or NEVER
    if lead.owner_id is not None:
        lead.pool_id = None  # what is somebody's lies in no pool, whoever gave it to him
    elif lead.pool_id is not None:
        lead.entered_pool_at = lead.entered_pool_at or clock.now()


LEAD = types.register(
    RecordType(
        key="lead",
        plural="leads",
        label="线索",
        model=Lead,
        fields=FIELDS,
        icon="filter",
        subtitle="company",
        default_columns=(
            "name", "status", "score", "source", "tags", "owner_id", "last_contact_at", "next_follow_at", "priority",
        ),
        search_by=("name", "company", "title"),
        company_field="company",
        derive=derive,
        states=STATES,
        stage_field="status",
        stages=STAGES,
        reason_stages=("closed",),
        unique_phone=True,
        live_only=("phone_live",),
        extras={"links": (("分析", "chart-no-axes-column", "/crm/leads/funnel"),)},
    )
)  # fmt: skip
