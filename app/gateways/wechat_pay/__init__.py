"""WeChat Pay API v3 for a direct merchant, through wechatpayv3 with its gaps closed.

From the SDK come the requests themselves (paths, parameters, signatures) and the decryption. Transport, verification
of what comes in, and every judgement are ours: the SDK has no time limit, looks at no time stamp, fetches certificates
in the middle of a callback, and answers a forged notice, a broken one and a missing header in three different ways.
"""
