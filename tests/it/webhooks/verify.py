"""Verifies messages with the specification's own library: one line of output for each, `genuine TYPE` or `refused WHY`.

Standard input: {"secret": "whsec_...", "messages": [{"body": base64, "headers": {...}}, ...]}.
"""

import base64
import json
import sys

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

asked = json.load(sys.stdin)
webhook = Webhook(asked["secret"])
for message in asked["messages"]:
    try:
        payload = webhook.verify(base64.b64decode(message["body"]), message["headers"])
        print("genuine", payload["type"])
    except WebhookVerificationError as error:
        print("refused", error)
