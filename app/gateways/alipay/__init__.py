"""Alipay (gateway.do, RSA2, key mode), through python-alipay-sdk with its gaps closed.

From the SDK come the requests (parameters, order, signatures) and the check of a notification's signature. Transport
and the check of an answer's signature are ours: the SDK puts everything into the URL of a GET, cuts the signed text
out of the answer by counting braces, and lets every kind of exception through.
"""
