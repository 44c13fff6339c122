"""The SMS that carries a code: the code goes from one encrypted column to another, never through the outbox."""

from __future__ import annotations

from app.customers import codes
from app.notifications.write import write_message

PURPOSES = {"purchase": "购买云客CRM", "register": "购买云客CRM", "login": "登录客户中心", "password": "设置密码"}


def send_code(code_id: str) -> None:
    """Write the SMS for a code that was issued, once; for one that was used or is too old nothing is written."""
    letter = codes.letter(code_id)
    if letter is None:
        return
    said = {
        "code": letter.code,
        "purpose": PURPOSES.get(letter.purpose, "验证手机号"),
        "minutes": str(int(codes.LIVES.total_seconds()) // 60),
        "valid_until": letter.expires_at.isoformat(),
    }
    write_message("sms", "sms_code", letter.phone, said, f"sms_code:{code_id}")
