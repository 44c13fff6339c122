"""Alipay's gateway.do as its documents describe it, the gateway's side: calls, cashier, notifications."""
