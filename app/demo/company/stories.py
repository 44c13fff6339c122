"""What is said and what becomes of it: words and chances for the demo's leads."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from typing import Any

from app.core import clock
from app.demo.names import Namer

SOURCES = (("website", 32), ("wechat", 18), ("event", 14), ("phone", 12), ("referral", 10), ("import", 9), ("weibo", 5))
CAMPAIGNS = {
    "website": ("春季活动页", "价格页", "官网首页", ""),
    "event": ("华东电商展", "深圳跨境展", "客户沙龙"),
    "wechat": ("公众号菜单", "朋友圈广告", ""),
}
TITLES = ("采购总监", "总经理", "运营负责人", "老板", "IT 主管", "销售经理", "财务经理", "市场专员", "店长", "行政", "")
TAGS = (
    "专业版",
    "API",
    "高级报表",
    "物流管理",
    "订单管理",
    "私有部署",
    "数据安全",
    "移动端",
    "服务",
    "电商",
    "电销",
    "多店铺",
)
LOST = (("price", 26), ("no_need", 20), ("competitor", 18), ("unreachable", 16), ("no_budget", 12), ("invalid", 8))
WON = (("product", 40), ("service", 22), ("price", 18), ("referral", 12), ("brand", 8))
TALK = {
    "phone": (
        "介绍了专业版和基础版的区别，对方要看一下内部流程。",
        "没人接，晚点再打。",
        "对方财务在走合同会签，预计周五前盖章。",
        "问了接口和数据导入，答应发文档。",
        "约了周四下午线上演示。",
        "对方说预算要到下季度，先保持联系。",
        "再次确认接口对接由我们出文档，他们的开发两天内联调。",
    ),
    "wechat": (
        "发送报价单，含接口联调服务。对方回复：「价格没问题，走流程。」",
        "发了两个同行案例，对方说转给老板看。",
        "对方问能不能先试用两周。",
        "加了微信，发了产品手册。",
    ),
    "mail": ("发送方案和报价。", "对方邮件确认了需求清单。", "发送合同草稿，等法务意见。"),
    "sms": ("发送演示链接和时间提醒。", "提醒对方合同盖章后回寄。"),
    "visit": (
        "上门演示，老板和运营都在，重点看了订单和报表。",
        "展会现场聊了十分钟，留了名片。",
        "去对方仓库看了流程，发货环节要对接他们的系统。",
    ),
}
NO_ANSWER = "没人接，晚点再打。"
NEXT = ("回电确认演示时间", "跟进报价反馈", "催签合同", "发送案例", "约老板见面", "确认试用情况")


def office_hour(moment: datetime, dice: Random) -> datetime:
    """A minute between nine and half past six in Shanghai on the working day of ``moment`` or before."""
    local = moment.astimezone(clock.SHANGHAI)
    while local.weekday() > 4:
        local -= timedelta(days=1)
    at = local.replace(hour=9, minute=0, second=dice.randrange(60), microsecond=0)
    return at + timedelta(minutes=dice.randrange(570))


def later(moment: datetime, days: float, dice: Random) -> datetime:
    """An office hour about ``days`` days behind ``moment``, and never before it."""
    return max(office_hour(moment + timedelta(days=days), dice), moment + timedelta(minutes=20))


def pick(pairs: Any, dice: Random) -> str:
    """One of (word, weight) pairs."""
    words, weights = zip(*pairs, strict=True)
    return str(dice.choices(words, weights)[0])


def lead_values(names: Namer, at: datetime) -> dict[str, Any]:
    """What is known of a new lead, by field."""
    dice = names.random
    company, region = names.company()
    source = pick(SOURCES, dice)
    values: dict[str, Any] = {
        "name": names.person(), "company": company, "region": region, "source": source, "sourced_at": at, "phone": names.phone(),
        "title": dice.choice(TITLES), "campaign": dice.choice(CAMPAIGNS.get(source, ("",))),
        "tags": dice.sample(TAGS, dice.choice((1, 1, 1, 2, 2, 3))), "priority": dice.choices(("high", "medium", "low"), (22, 53, 25))[0],
    }  # fmt: skip
    if dice.random() < 0.55:
        values["amount"] = dice.choice((3588, 7188, 9800, 14376, 19800, 28600, 39800))
    if dice.random() < 0.4:
        values["email"] = f"contact{dice.randrange(1000, 9999)}@company.example"
    if dice.random() < 0.3:
        values["wechat"] = f"wx{dice.randrange(100000, 999999)}"
    if dice.random() < 0.35:
        values["x_stores"] = dice.choice((1, 2, 3, 5, 8, 12, 30))
    return {key: value for key, value in values.items() if value not in ("", None)}


def talk(dice: Random, going_well: float) -> dict[str, Any]:
    """One communication, by field."""
    channel = dice.choices(tuple(TALK), (46, 26, 10, 6, 12))[0]
    content = dice.choice(TALK[channel])
    if content == NO_ANSWER:
        result = "no_answer"
    else:
        result = dice.choices(
            ("progress", "interested", "neutral", "later", "no_interest"),
            (40 * going_well, 25, 20, 10, 8 * (1 - going_well)),
        )[0]
    direction = "in" if channel in {"wechat", "mail"} and dice.random() < 0.3 else "out"
    return {"channel": channel, "content": content, "result": result, "direction": direction}
