"""Companies and people that might exist: invented, and built so that no real one is meant."""

from __future__ import annotations

from random import Random

CITIES = [
    ("浙江 杭州", "杭州"), ("浙江 宁波", "宁波"), ("江苏 苏州", "苏州"), ("江苏 南京", "南京"), ("上海", "上海"), ("广东 广州", "广州"),
    ("广东 深圳", "深圳"), ("广东 东莞", "东莞"), ("四川 成都", "成都"), ("重庆", "重庆"), ("湖北 武汉", "武汉"), ("湖南 长沙", "长沙"),
    ("陕西 西安", "西安"), ("山东 青岛", "青岛"), ("山东 济南", "济南"), ("福建 厦门", "厦门"), ("福建 福州", "福州"), ("北京", "北京"),
    ("天津", "天津"), ("河南 郑州", "郑州"), ("安徽 合肥", "合肥"), ("河北 石家庄", "石家庄"), ("辽宁 大连", "大连"), ("云南 昆明", "昆明"),
]  # fmt: skip


def _words(text: str) -> list[str]:
    return text.split()


_BRANDS = _words(
    "青禾 远帆 锦程 蜀味 穗光 海纳 榕城 山城 橘洲 庐阳 燕赵 泉印 江汇 中原 金陵 长安 云岭 星澜 沐阳 北辰 知行 朴石 砺石 清源 拓野 "
    "鸣谦 景明 屿间 禾木 松果 晨曜 恒屿 博闻 致和 元启 汇泽 安澜 凌云 鹿鸣 初禾 微岚 起岸 同舟 万象 百川 铭川 一叶 南枝 听澜 丰年 嘉树"
)
_TRADES = _words(
    "跨境电商 家居 食品 照明 机电 医疗器械 装饰 水产 物流 家政服务 药业 教育咨询 印务 服饰 文旅 新材料 自动化 精密制造 包装 建材 "
    "信息技术 网络科技 母婴用品 户外用品 茶业 汽配 环保科技 供应链 餐饮管理 广告传媒"
)
_SURNAMES = (
    "王李张刘陈杨黄赵周吴徐孙马朱胡林郭何高罗郑梁谢宋唐许邓冯韩曹曾彭萧蔡潘田董袁于余叶蒋杜苏魏程吕丁沈任姚卢傅钟姜崔谭廖范汪陆金石戴"
    "贾韦夏邱方侯邹熊孟秦白江阎薛尹段雷黎史龙陶贺顾毛郝龚邵万钱严覃武莫孔向汤"
)
_GIVEN = _words(
    "景初 怀瑾 沐阳 牧之 清妍 思远 云舒 听澜 知微 长风 南枝 长宁 以宁 清和 若溪 嘉禾 知远 一诺 景行 予安 书瑶 子墨 雨桐 浩然 梓萱 明轩 欣怡 "
    "志强 建国 丽华 秀英 伟 芳 敏 静 磊 洋 艳 勇 军 杰 娟 涛 超 明 霞 平 刚 桂英 晓东 海燕 文博 佳琪 宇航 晨曦 思琪 俊杰 雅婷 天佑 若曦"
)


class Namer:
    """A seeded source of names; no company comes twice."""

    def __init__(self, seed: int):
        self.random = Random(seed)  # noqa: S311 - the same demo on every machine, nothing secret
        self._used: set[str] = set()

    def company(self) -> tuple[str, str]:
        """(name, region)."""
        while True:
            region, city = self.random.choice(CITIES)
            name = f"{city}{self.random.choice(_BRANDS)}{self.random.choice(_TRADES)}有限公司"
            if name not in self._used:
                self._used.add(name)
                return name, region

    def person(self) -> str:
        return self.random.choice(_SURNAMES) + self.random.choice(_GIVEN)

    def phone(self) -> str:
        """A mainland mobile number that no other person of the demo has."""
        while True:
            number = f"{self.random.choice(('138', '139', '136', '150', '186', '177'))}0000{self.random.randrange(10000):04d}"
            if number not in self._used:
                self._used.add(number)
                return number
