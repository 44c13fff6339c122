"""First run of a private installation: writes the settings file with secrets of its own; an existing file is kept.

python first_run.py .env
"""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

TEMPLATE = """\
# 云客CRM 私有部署设置。SECRET_KEY 和 FIELD_KEY 丢失后，已加密的数据无法恢复，请备份本文件。
EDITION=private
SECRET_KEY={secret}
FIELD_KEY={field}
PORT=8000
# 员工访问的地址，例如 https://crm.example.com
# PUBLIC_URL=
# 默认用本机的 SQLite；正式使用建议 PostgreSQL，例如 postgresql://yunke:密码@127.0.0.1/yunke
# DATABASE_URL=
# 默认用内置的 Valkey；Windows 上必须填一个 Redis 的地址
# REDIS_URL=
"""


def main() -> int:
    path = Path(sys.argv[1] if len(sys.argv) > 1 else ".env")
    text = TEMPLATE.format(secret=secrets.token_urlsafe(48), field=secrets.token_urlsafe(48))
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return 0
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
