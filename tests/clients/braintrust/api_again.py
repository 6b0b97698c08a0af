"""Writes of braintrust-api 0.6.0 (by PYTHONPATH) whose answers are lost: by default the client sends them again.

BASE is the address (http://host:port/braintrust), KEY an owner's key. The program reads steps from its arguments, carries out
one after another, and prints one JSON line each; the exit code is 1 after a surprise.

    api-key NAME            a key of the caller; the line has its id and secret
    group NAME              a group
    acl GROUP PROJECT       a grant of `read`
"""

import os
import sys

import httpx
import report
from braintrust_api import APIError, Braintrust

client = Braintrust(api_key=os.environ["KEY"], base_url=os.environ["BASE"])
step, *arguments = sys.argv[1:]

report.count(httpx.HTTPTransport, "handle_request")
try:
    if step == "api-key":
        made = client.api_keys.create(name=arguments[0])
        report.say(step, id=made.id, key=made.key)
    elif step == "group":
        report.say(step, id=client.groups.create(name=arguments[0]).id)
    else:
        group, project = arguments
        row = client.acls.create(object_type="project", object_id=project, group_id=group, permission="read")
        report.say(step, id=row.id)
except APIError as error:
    report.say("surprise", error=type(error).__name__, what=str(error)[:500])
    sys.exit(1)
report.finish("braintrust-api")
