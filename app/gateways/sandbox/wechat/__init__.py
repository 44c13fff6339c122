"""WeChat Pay API v3 as its documents describe it, the gateway's side: strict in, exact out."""
