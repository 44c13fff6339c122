"""What a customer and a contact are, for every list, form, rule and file (seed C §2.4)."""

from __future__ import annotations

from sqlalchemy import select

from app.crm.access.policy import Policy
from app.crm.customers.models import Contact, CrmCustomer
from app.crm.records import reach, types
from app.crm.records.fields import Field
from app.crm.records.reach import Way
from app.crm.records.types import RecordType

SOURCES = tuple(
    (word, word)
    for word in ("官网表单", "微信", "微博", "电话咨询", "线下活动", "老客户介绍", "表格导入", "线索转化", "其他")
)
INDUSTRIES = tuple(
    (word, word)
    for word in (
        "制造",
        "批发零售",
        "电子商务",
        "软件与互联网",
        "教育培训",
        "医疗健康",
        "物流运输",
        "建筑装饰",
        "餐饮酒店",
        "金融",
        "专业服务",
        "其他",
    )
)
SIZES = (
    ("1-20", "20 人以下"),
    ("20-50", "20–50 人"),
    ("50-200", "50–200 人"),
    ("200-1000", "200–1000 人"),
    ("1000+", "1000 人以上"),
)
LEVELS = (("A", "A 重点"), ("B", "B 普通"), ("C", "C 一般"))
ROLES = (("decider", "决策人"), ("user", "使用人"), ("influencer", "影响人"), ("finance", "财务"), ("other", "其他"))
GENDERS = (("male", "男"), ("female", "女"))

CUSTOMER = types.register(
    RecordType(
        key="customer",
        plural="customers",
        label="客户",
        unit="位",
        model=CrmCustomer,
        icon="building-2",
        subtitle="contact_name",
        fields=(
            Field("name", "公司", required=True, sorts=True, inline=True),
            Field("contact_name", "联系人", most=100, inline=True),
            Field("phone", "电话", "phone", sensitive=True),
            Field("email", "邮箱", "email", most=120),
            Field("wechat", "微信", most=60),
            Field("region", "地区", most=60, inline=True),
            Field("address", "地址", most=200),
            Field("industry", "行业", "choice", INDUSTRIES, inline=True),
            Field("size", "规模", "choice", SIZES, inline=True),
            Field("level", "等级", "choice", LEVELS, inline=True),
            Field("source", "来源", "choice", SOURCES),
            Field("tags", "标签", "tags", inline=True),
            Field("owner_id", "负责人", "user"),
            Field("remark", "备注", "long_text", most=5000),
            Field("last_contact_at", "最近联系", "datetime", written=False, section="跟进"),
            Field("next_follow_at", "下次跟进", "datetime", inline=True, section="跟进"),
        ),
        default_columns=("name", "phone", "region", "source", "owner_id", "last_contact_at", "updated_at"),
        search_by=("name", "contact_name"),
    )
)

CONTACT = types.register(
    RecordType(
        key="contact",
        plural="contacts",
        label="联系人",
        unit="位",
        model=Contact,
        icon="users",
        subtitle="title",
        fields=(
            Field("name", "姓名", required=True, most=100, sorts=True, inline=True),
            Field("customer_id", "客户", "record", to="customer"),
            Field("title", "职位", most=100, inline=True),
            Field("role", "角色", "choice", ROLES, inline=True),
            Field("is_primary", "主要联系人", "bool"),
            Field("phone", "手机", "phone", sensitive=True),
            Field("email", "邮箱", "email", most=120),
            Field("wechat", "微信", most=60),
            Field("gender", "性别", "choice", GENDERS),
            Field("birthday", "生日", "date"),
            Field("address", "地址", most=200),
            Field("owner_id", "负责人", "user"),
            Field("remark", "备注", "long_text", most=5000),
        ),
        default_columns=("name", "customer_id", "title", "role", "phone", "owner_id", "updated_at"),
        search_by=("name", "title"),
        company_field="",
    )
)


def words_of_account(action: str) -> str:
    """How the ground is called."""
    return f"可以{'查看' if action == 'read' else '编辑'}这位联系人的客户"


def _of_an_own_account(described: RecordType, policy: Policy, action: str) -> Way | None:
    """The owner of an account sees the people there, whoever wrote them down (CRM §12)."""
    if described is not CONTACT or action not in {"read", "edit"} or not policy.may("contact", "read"):
        return None
    owned = select(CrmCustomer.id).where(policy.reach("customer", action).condition(CrmCustomer.owner_id))
    return Way(words_of_account(action), Contact.customer_id.in_(owned))


reach.add_way(_of_an_own_account)
